"""Why a request is answered by the law it is answered by; empty on older ones, which went by the strictest."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("requests", sa.Column("law_why", sa.Text()))


def downgrade() -> None:
    op.drop_column("requests", "law_why")
