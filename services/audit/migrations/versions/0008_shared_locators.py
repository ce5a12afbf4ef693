"""Several people may be found by one locator; and what they are found by is rebuilt with the rest of the index."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("DROP SCHEMA IF EXISTS trail_next CASCADE")  # a rebuild that did not end, without this table
    op.execute(
        """CREATE TABLE IF NOT EXISTS trail.known_locators (
        locator text COLLATE "C" NOT NULL, subject text COLLATE "C" NOT NULL, PRIMARY KEY (locator, subject))"""
    )
    op.execute("CREATE INDEX IF NOT EXISTS known_locators_subject_idx ON trail.known_locators (subject)")
    op.execute("INSERT INTO trail.known_locators SELECT locator, subject FROM public.known_locators ON CONFLICT DO NOTHING")
    op.execute("DROP TABLE public.known_locators")
