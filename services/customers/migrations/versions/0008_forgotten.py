"""The list of who was forgotten lies under a key of its own; which locators of before are in it already."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "forgotten",
        sa.Column("mark", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("forgotten_on", sa.Date, nullable=False),
        if_not_exists=True,  # in a set from before it that was restored with the newest one's list
    )
    op.add_column("forgotten_numbers", sa.Column("taken_over", sa.Boolean, nullable=False, server_default=sa.false()))
    # Of the day, as the marks: the minute would say of which record a locator was.
    op.execute("UPDATE forgotten_numbers SET forgotten_at = date_trunc('day', forgotten_at, 'UTC')")


def downgrade() -> None:
    op.drop_column("forgotten_numbers", "taken_over")
    op.drop_table("forgotten")
