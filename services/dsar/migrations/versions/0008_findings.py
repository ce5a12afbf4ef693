"""Who said of which record that the address leads there, and which service made which subject.

What was answered before was not signed, so it counts for nothing: whoever was asked is asked again, and an access that was
under way begins anew. An erasure that holders have begun keeps their words, which are signed; they are verified before
they go into a certificate.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0008"
down_revision = "0007"

_BEGUN = "SELECT id FROM requests WHERE state IN ('verified', 'dispatched') AND (state = 'verified' OR \"right\" = 'access')"
_ANEW = """
UPDATE requests SET state = 'verified', dispatched_at = NULL, settled_at = NULL, subjects = '{}', candidates = '{}'
WHERE state = 'verified' OR (state = 'dispatched' AND "right" = 'access')
"""
_AGAIN = """
UPDATE asks SET answered_at = NULL, tries = 1, asked_at = now() - interval '1 hour'
WHERE command = 'locate' AND request_id IN (SELECT id FROM requests WHERE state IN ('verified', 'assessed', 'approved'))
"""


def upgrade() -> None:
    op.create_table(
        "findings",
        sa.Column("request_id", sa.Text(), sa.ForeignKey("requests.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("holder", sa.Text(), primary_key=True),
        sa.Column("subject", sa.Text(), primary_key=True),
        sa.Column("locators", ARRAY(sa.Text()), nullable=False),
    )
    op.create_table("owners", sa.Column("subject", sa.Text(), primary_key=True), sa.Column("owner", sa.Text(), nullable=False))
    op.add_column("requests", sa.Column("alone", sa.JSON(), nullable=False, server_default="{}"))
    for table, which in (("parts", ""), ("claims", ""), ("asks", "command = 'collect' AND ")):
        op.execute(f"DELETE FROM {table} WHERE {which}request_id IN ({_BEGUN})")  # noqa: S608
    op.execute(_ANEW)
    op.execute(_AGAIN)


def downgrade() -> None:
    op.drop_column("requests", "alone")
    op.drop_table("owners")
    op.drop_table("findings")
