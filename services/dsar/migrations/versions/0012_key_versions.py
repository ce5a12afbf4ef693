"""A request has a locator of each live version of their key, and says of which the newest is (shared/renewal.py)."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.add_column("requests", sa.Column("locators", ARRAY(sa.Text), nullable=False, server_default="{}"))
    op.add_column("requests", sa.Column("locator_version", sa.SmallInteger, nullable=False, server_default="1"))
    op.create_index("ix_requests_locator_version", "requests", ["locator_version"])


def downgrade() -> None:
    op.drop_index("ix_requests_locator_version", "requests")
    op.drop_column("requests", "locator_version")
    op.drop_column("requests", "locators")
