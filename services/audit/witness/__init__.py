"""A witness (https://c2sp.org/tlog-witness): someone else's small server that signs a log's checkpoints, each only if it
follows from those that it signed before.

It stands alone, so that a second team can run one: no database server, no broker, no Vault. A directory, a key, and the
public keys of the logs that it trusts. `protocol` judges, `trust` says whom it believes, `key` and `store` remember, `app`
answers; docs/witness.md says what it protects against.
"""
