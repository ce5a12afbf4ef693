"""The search index anew: in a schema of its own, partitioned by month. It is derived: the follower fills it from the log."""

from alembic import op

from services.audit.index.partitions import schema_sql

revision = "0003"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("about", "indexed", "index_positions"):
        op.drop_table(table)
    for statement in schema_sql():
        op.execute(statement)
