"""Backup: can we get it back, and is the erased gone?

Owns backup sets, drills, restores and the list of erasures that every restore replays. Publishes what events.py
declares. Keeps P8 (a backup counts only after it was restored) and P9 (a restore never brings an erased person back).

It reads no service's tables: its PostgreSQL role has REPLICATION, and what it copies of people is ciphertext under keys
that its Vault policy does not reach. It never copies Vault: a backup holding both the ciphertext and its keys would be
one file that undoes every erasure.
"""
