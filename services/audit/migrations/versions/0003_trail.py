"""The search index anew: in a schema of its own, partitioned by month. It is derived: the follower fills it from the log."""

from alembic import op

revision = "0003"
down_revision = "0001"
branch_labels = None
depends_on = None

SCHEMA = """
CREATE SCHEMA trail;
CREATE TABLE trail.positions (
  shard text COLLATE "C" PRIMARY KEY,
  next bigint NOT NULL CHECK (next >= 0)
);
CREATE TABLE trail.events (
  time timestamptz NOT NULL, shard text COLLATE "C" NOT NULL, index bigint NOT NULL,
  ce_id text COLLATE "C" NOT NULL, type text COLLATE "C" NOT NULL, actor text COLLATE "C" NOT NULL,
  subject text COLLATE "C" NOT NULL, trace text COLLATE "C" NOT NULL, purpose text COLLATE "C" NOT NULL,
  look boolean NOT NULL, detail jsonb NOT NULL,
  PRIMARY KEY (time, shard, index)
) PARTITION BY RANGE (time);
CREATE INDEX ON trail.events (ce_id) WHERE ce_id <> '';
CREATE INDEX ON trail.events (actor, time) WHERE actor <> '';
CREATE INDEX ON trail.events (type, time);
CREATE INDEX ON trail.events (trace) WHERE trace <> '';
CREATE INDEX ON trail.events (purpose, time) WHERE purpose <> '';
CREATE INDEX ON trail.events (time) WHERE look;
CREATE TABLE trail.about (
  subject text COLLATE "C" NOT NULL, time timestamptz NOT NULL, shard text COLLATE "C" NOT NULL, index bigint NOT NULL,
  PRIMARY KEY (subject, time, shard, index)
) PARTITION BY RANGE (time);
CREATE TABLE trail.known_locators (
  locator text COLLATE "C" NOT NULL, subject text COLLATE "C" NOT NULL,
  PRIMARY KEY (locator, subject)
);
CREATE INDEX ON trail.known_locators (subject);
CREATE TABLE trail.acknowledged (
  alarm text COLLATE "C" PRIMARY KEY, at timestamptz NOT NULL, by text COLLATE "C" NOT NULL,
  reason text COLLATE "C" NOT NULL, reference text COLLATE "C" NOT NULL
);
CREATE TABLE trail.events_other PARTITION OF trail.events DEFAULT;
CREATE TABLE trail.about_other PARTITION OF trail.about DEFAULT;
"""


def upgrade() -> None:
    for table in ("about", "indexed", "index_positions"):
        op.drop_table(table)
    op.execute(SCHEMA)
