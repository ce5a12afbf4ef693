"""The log: a Merkle tree per Kafka partition in C2SP tlog-tiles. A library in itself; imports go downward only.

Nouns (pure): entry, seal, tree, tiles, bundles, paths, checkpoint, proof, verify. Verbs (I/O): store, head, ingest, recovery.
"""
