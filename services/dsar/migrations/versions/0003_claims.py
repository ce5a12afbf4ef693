"""A person is not a record: which records a request covers is claimed one by one, and what it leaves out is counted.
Several browsers and mails open one request; its code is sealed, so that the same one is sent again.

`requests.chosen` and `.capability` stay for one version, unread: a process of the version before may still run beside this one.
Codes that are on their way (they live 15 minutes) can't be sealed from their hash: whoever waits for one asks for another.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("requests", sa.Column("settled_at", sa.DateTime(timezone=True)))
    op.add_column("requests", sa.Column("left_out", sa.Integer(), nullable=False, server_default="0"))
    op.execute("UPDATE requests SET settled_at = verified_at WHERE chosen IS NOT NULL")
    op.create_table(
        "claims",
        sa.Column("request_id", sa.Text(), sa.ForeignKey("requests.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("record", sa.Text(), primary_key=True),
        sa.Column("said", sa.LargeBinary()),
        sa.Column("staff", ARRAY(sa.Text()), nullable=False),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "capabilities",
        sa.Column("hash", sa.LargeBinary(), primary_key=True),
        sa.Column("request_id", sa.Text(), sa.ForeignKey("requests.id", ondelete="CASCADE"), nullable=False),
        sa.Column("via", sa.Text(), nullable=False),
        sa.Column("granted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
    )
    for name in ("request_id", "expires_at"):
        op.create_index(f"ix_capabilities_{name}", "capabilities", [name])
    op.execute(
        "INSERT INTO capabilities (hash, request_id, via, granted_at, expires_at) SELECT capability, id, 'code',"
        " coalesce(verified_at, received_at), coalesce(verified_at, received_at) + interval '90 days'"
        " FROM requests WHERE capability IS NOT NULL"
    )
    op.drop_table("codes")
    op.create_table(
        "codes",
        sa.Column("request_id", sa.Text(), sa.ForeignKey("requests.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("codes")
    op.create_table(
        "codes",
        sa.Column("request_id", sa.Text(), sa.ForeignKey("requests.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
    )
    op.drop_table("capabilities")
    op.drop_table("claims")
    for name in ("settled_at", "left_out"):
        op.drop_column("requests", name)
