"""One table of data keys, in the place of `keyring` and `shredded`: the person's row is what orders a maker and a shred.

Expand: `keyring` and `shredded` stay as views for as long as a process of the version before may run beside this one. It makes,
reads and shreds keys through them as it did. They are dropped by the version that follows (contract).
"""

from alembic import op

revision = "kernel_0003"
down_revision = "kernel_0002"
branch_labels = None
depends_on = None

_TABLE = """ALTER TABLE data_keys
    DROP CONSTRAINT keyring_pkey,
    ADD CONSTRAINT data_keys_pkey PRIMARY KEY (subject, version),
    ALTER COLUMN wrapped DROP NOT NULL,
    ADD COLUMN kek_version integer GENERATED ALWAYS AS (substring(wrapped from '^vault:v([0-9]+):')::integer) STORED,
    ADD COLUMN shredded_at timestamptz,
    ADD COLUMN current boolean NOT NULL DEFAULT true,
    ADD CONSTRAINT data_keys_shredded CHECK ((wrapped IS NULL) = (shredded_at IS NOT NULL))"""
_TOMBSTONES = """INSERT INTO data_keys (subject, version, created_at, shredded_at)
    SELECT subject, 0, shredded_at, shredded_at FROM shredded
    ON CONFLICT (subject) WHERE current DO UPDATE SET wrapped = NULL, shredded_at = excluded.shredded_at"""

_KEYRING = """CREATE VIEW keyring AS
    SELECT subject, version, wrapped, created_at FROM data_keys WHERE current AND wrapped IS NOT NULL"""
_SHREDDED = "CREATE VIEW shredded AS SELECT subject, shredded_at FROM data_keys WHERE current AND shredded_at IS NOT NULL"
# The version before shreds by a row in `shredded` and then a DELETE from `keyring`, in one transaction, and the DELETE tells it
# which version went: so the first leaves a tombstone where there is no key, and the second destroys the key where there is one.
_NOTE = """CREATE FUNCTION shredded_noted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO data_keys (subject, version, created_at, shredded_at)
        VALUES (NEW.subject, 0, NEW.shredded_at, NEW.shredded_at) ON CONFLICT DO NOTHING;
    RETURN NEW;
END $$"""
_DESTROY = """CREATE FUNCTION keyring_destroyed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE data_keys SET wrapped = NULL, shredded_at = now() WHERE subject = OLD.subject AND wrapped IS NOT NULL;
    RETURN OLD;
END $$"""


def upgrade() -> None:
    op.rename_table("keyring", "data_keys")
    op.execute(_TABLE)
    op.execute("CREATE UNIQUE INDEX data_keys_current ON data_keys (subject) WHERE current")
    op.execute(_TOMBSTONES)
    op.drop_table("shredded")
    for statement in (_KEYRING, _SHREDDED, _NOTE, _DESTROY):
        op.execute(statement)
    op.execute("CREATE TRIGGER noted INSTEAD OF INSERT ON shredded FOR EACH ROW EXECUTE FUNCTION shredded_noted()")
    op.execute("CREATE TRIGGER destroyed INSTEAD OF DELETE ON keyring FOR EACH ROW EXECUTE FUNCTION keyring_destroyed()")
