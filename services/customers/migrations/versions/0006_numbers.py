"""The customer number is kept sealed, and of the forgotten the address's keyed hash besides the number's."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("customers", sa.Column("number", sa.LargeBinary))
    op.add_column("forgotten_numbers", sa.Column("kind", sa.Text, nullable=False, server_default="external"))


def downgrade() -> None:
    op.drop_column("forgotten_numbers", "kind")
    op.drop_column("customers", "number")
