"""An address may lead to several people: who could be meant, who is, and how often somebody tried to say."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("requests", sa.Column("candidates", sa.JSON(), nullable=False, server_default="{}"))
    op.add_column("requests", sa.Column("chosen", sa.Text()))
    op.add_column("requests", sa.Column("narrow_tries", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    for name in ("candidates", "chosen", "narrow_tries"):
        op.drop_column("requests", name)
