"""Heads, the search index, and the kernel's tables."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = "kernel_0001"


def _text(name: str, *, key: bool = False) -> "sa.Column[str]":
    return sa.Column(name, sa.Text(), nullable=False, primary_key=key)


def _number(name: str, *, key: bool = False) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger(), nullable=False, primary_key=key, autoincrement=False)


def upgrade() -> None:
    op.create_table(
        "heads",
        _text("shard", key=True),
        _text("topic"),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        _number("base"),
        _number("size"),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.UniqueConstraint("topic", "partition", "generation"),
    )
    op.create_table("index_positions", _text("shard", key=True), _number("next"))
    op.create_table(
        "indexed",
        _text("shard", key=True),
        _number("index", key=True),
        *(_text(name) for name in ("ce_id", "type", "actor", "subject", "trace")),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("detail", JSONB(), nullable=False),
    )
    for column in ("ce_id", "actor", "time"):
        op.create_index(f"indexed_{column}", "indexed", [column])
    op.create_table("about", _text("subject", key=True), _text("shard", key=True), _number("index", key=True))
    op.create_table("known_locators", _text("locator", key=True), _text("subject"))
    op.create_index("known_locators_subject", "known_locators", ["subject"])
