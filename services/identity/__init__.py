"""identity: who staff are, how they prove it, and what needs two of them.

Owns staff accounts, passwords, second factors, sessions, roles and reporting lines, and approvals. Publishes
`kept.identity` (accounts, sign-ins and refused sign-ins, approvals) and, as a holder, its answers on
`kept.dsar.answers.identity`. Everybody else verifies its tokens offline with the keys at `/.well-known/jwks.json`.
Keeps P11 (two people) and its part of P1, P2 and P5.
"""
