"""customers: the records of the company's customers, and no more of them than a purpose needs.

Owns customer records under one data key per person, the field policy (why, on what basis, for how long, shown how), who
receives data, import and export. Publishes `kept.customers` (created, updated, viewed, exported, shredded) and, as a
holder, its answers on `kept.dsar.answers.customers`. Keeps P2 (one key per person), P4 (state and event), P7 (every look is an
event) and its part of P1, P5, P11 and P12.
"""
