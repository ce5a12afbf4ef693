"""dsar's mails are the mail room's: about a request by its id alone, with what became of each. Old rows stay."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0006"
down_revision = "0005"

_RECIPIENTS = """
UPDATE mails SET recipient = requests.locator FROM requests
WHERE requests.id = mails.about AND mails.created_at > now() - interval '1 day'
"""


def upgrade() -> None:
    op.drop_constraint("mails_request_id_fkey", "mails", type_="foreignkey")
    op.alter_column("mails", "request_id", new_column_name="about")
    op.alter_column("mails", "id", type_=sa.BigInteger())
    op.alter_column("mails", "tries", server_default="0")
    op.add_column("mails", sa.Column("facts", JSONB(), nullable=False, server_default=sa.text("'{}'")))
    op.add_column("mails", sa.Column("recipient", sa.Text()))
    op.add_column("mails", sa.Column("left_at", sa.DateTime(timezone=True)))
    op.add_column("mails", sa.Column("reason", sa.Text()))
    op.execute("UPDATE mails SET left_at = done_at WHERE outcome = 'sent'")
    op.execute(_RECIPIENTS)  # the hourly limits go on counting
    op.drop_index("ix_mails_next_try_at", "mails")
    op.execute("ALTER INDEX ix_mails_request_id RENAME TO ix_mails_about")
    op.create_index("ix_mails_recipient", "mails", ["recipient"])
    op.create_index("mails_waiting", "mails", ["next_try_at"], postgresql_where=sa.text("done_at IS NULL"))
