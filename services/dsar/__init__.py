"""dsar: the rights of a person, on time, with proof.

Owns data-subject requests, the identity check of who asks, the law's deadlines (law/), the saga over all holders, packages,
erasure certificates, the public portal (`/`) and the staff desk (`/desk`).
Publishes `kept.dsar` (what happened to a request), `kept.dsar.commands` (locate, collect, erase, attest) and, as a holder
itself, its answers on `kept.dsar.answers.dsar`. Keeps P10 (the law's clock), P12 (a person sees it all), its part of P2 and
P11.
"""
