"""PostgreSQL's pg_hba.conf from the table of arrows."""

from collections.abc import Iterator

from deploy.arrows.table import Table


def hba(of: Table, where: str) -> Iterator[str]:
    """Its lines: each role reaches its own database from `where`, with its password, and nothing else."""
    for role, database in of.databases.items():
        yield f"host {database} {role} {where} scram-sha-256"
    for role in sorted(of.replicates):
        yield f"host replication {role} {where} scram-sha-256"
