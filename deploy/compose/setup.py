"""Runs once before the services (and again after OpenBao restarted, to unseal it): `docker compose run --rm setup`.

1. OpenBao: initialise, unseal, engines, keys, policies of deploy/vault, one AppRole per service. The root token is revoked
   at the end; the unseal keys stay in the volume `unseal`, which is this installation's root of trust.
2. Passwords: each service's are drawn at random into `kept/<service>/database`; the broker's come from its secret.
3. PostgreSQL: a role and a database per service; backup may replicate. 4. Kafka: topics and rights.
5. S3: the log's bucket, with Object Lock and a default retention; its keys into `kept/audit/s3`.
6. Each service's secret id, into that service's own volume. Everything is idempotent.
"""

import asyncio
import json
import os
import secrets
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import hvac
import psycopg
import requests
from psycopg import sql

from deploy.arrows.table import table
from deploy.local import kafka_rights, vault_provision
from deploy.local.catalog import SERVICES
from shared.blobs import open_store
from shared.blobs.s3 import S3Store
from shared.blobs.s3_calls import MODE

if TYPE_CHECKING:
    from types_boto3_s3.type_defs import DefaultRetentionTypeDef

S3_USER = "kept"
SHARES, THRESHOLD = 3, 2
POLICIES = Path(__file__).resolve().parents[1] / "vault"
SECRET_ID_MODE = 0o400
ACTIVE_SECONDS_MAX = 60


def unsealed(addr: str, place: Path) -> str:
    """Initialises and unseals; returns a root token, which the caller revokes."""
    client = hvac.Client(url=addr, timeout=30)
    file, first_root = place / "unseal.json", ""
    if not client.sys.is_initialized():
        made = client.sys.initialize(SHARES, THRESHOLD)
        _write(file, json.dumps({"keys": made["keys_base64"], "threshold": THRESHOLD}))
        first_root = made["root_token"]  # never on a disk, and revoked below
    keys = [str(key) for key in json.loads(file.read_text())["keys"][:THRESHOLD]]
    if client.sys.is_sealed():
        client.sys.submit_unseal_keys(keys)
    _wait_active(addr)
    if first_root:
        hvac.Client(url=addr, token=first_root, timeout=30).auth.token.revoke_self()
    return vault_provision.generate_root(addr, keys)


def _wait_active(addr: str) -> None:
    """Unsealed is not active yet: the one node elects itself first."""
    for _ in range(ACTIVE_SECONDS_MAX * 5):
        if requests.get(f"{addr}/v1/sys/health", timeout=5).status_code == 200:
            return
        time.sleep(0.2)
    raise SystemExit("OpenBao did not become active after it was unsealed")


def passwords(client: hvac.Client, broker: dict[str, str]) -> dict[str, str]:
    """service -> database password, made once."""
    made: dict[str, str] = {}
    for service in SERVICES:
        found = client.read(f"kept/data/{service}/database")
        made[service] = str(found["data"]["data"]["password"]) if found else secrets.token_urlsafe(32)
        client.write_data(f"kept/data/{service}/database", data={"data": {"password": made[service]}})
        client.write_data(f"kept/data/{service}/kafka", data={"data": {"password": broker[service]}})
    return made


def databases(host: str, port: int, superuser_password: str, made: dict[str, str]) -> None:
    with psycopg.connect(
        host=host, port=port, user="postgres", password=superuser_password, dbname="postgres", autocommit=True
    ) as connection:
        roles = {row[0] for row in connection.execute("SELECT rolname FROM pg_roles")}
        there = {row[0] for row in connection.execute("SELECT datname FROM pg_database")}
        for service, password in made.items():
            role, verb = sql.Identifier(service), sql.SQL("ALTER" if service in roles else "CREATE")
            kind = sql.SQL("REPLICATION" if service in table().replicates else "NOREPLICATION")
            connection.execute(sql.SQL("{} ROLE {} LOGIN {} PASSWORD {}").format(verb, role, kind, sql.Literal(password)))
            if service not in there:
                connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(role, role))
            connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(role))


def bucket(address: str, keys: dict[str, str], years: int) -> None:
    """The log's bucket, and the proof that it keeps what it is trusted with. UnfitStoreError if it does not."""
    store = open_store(address, keys=keys, years=years)
    if not isinstance(store, S3Store):
        raise SystemExit("KEPT_LOG_STORE is not a bucket")
    there = store.client.exceptions
    with suppress(there.BucketAlreadyOwnedByYou, there.BucketAlreadyExists):
        store.client.create_bucket(Bucket=store.bucket, ObjectLockEnabledForBucket=True)
    rule: DefaultRetentionTypeDef = {"Mode": MODE, "Years": store.years}
    store.client.put_object_lock_configuration(
        Bucket=store.bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": rule}}
    )
    print(store.check())


def broker_users(text: str) -> dict[str, str]:
    """The secret `kafka`: one `name password` per line, as deploy/compose/secrets.sh writes it."""
    users: dict[str, str] = {}
    for line in filter(None, text.splitlines()):
        name, password = line.split(" ")
        users[name] = password
    return users


def main() -> None:
    environment = os.environ
    place = Path(environment.get("KEPT_SETUP_DIR", "/run/kept"))
    addr = environment["KEPT_VAULT_ADDR"]
    broker = broker_users(Path(environment["KEPT_KAFKA_PASSWORD_FILE"]).read_text())
    client = hvac.Client(url=addr, token=unsealed(addr, place / "unseal"), timeout=30)  # 1
    try:
        need = {name for name in vault_provision.ROLES if not (place / name / "secret_id").exists()}
        roles = vault_provision.provision(client, POLICIES, need & set(SERVICES))
        made = passwords(client, broker)  # 2
        for service in SERVICES:  # a role id is a name, no secret: docker-compose.yml can then say it beforehand
            client.write_data(f"auth/approle/role/{service}/role-id", data={"role_id": f"kept-{service}"})
        keys = {"access_key": S3_USER, "secret_key": Path(environment["KEPT_S3_PASSWORD_FILE"]).read_text().strip()}
        client.write_data("kept/data/audit/s3", data={"data": keys})
    finally:
        client.auth.token.revoke_self()
    bucket(environment["KEPT_LOG_STORE"], keys, int(environment["KEPT_LOG_RETENTION_YEARS"]))  # 5
    superuser = Path(environment["KEPT_POSTGRES_PASSWORD_FILE"]).read_text().strip()
    databases(environment["KEPT_DATABASE_HOST"], int(environment["KEPT_DATABASE_PORT"]), superuser, made)  # 3
    host, _, port = environment["KEPT_KAFKA_BOOTSTRAP"].rpartition(":")
    asyncio.run(kafka_rights.provision(int(port), "admin", broker["admin"], host=host))  # 4
    for service, (_, secret_id) in roles.items():  # 6
        if secret_id:
            _write(place / service / "secret_id", secret_id, SECRET_ID_MODE)


def _write(path: Path, text: str, mode: int = 0o600) -> None:
    """Whole or not at all, readable by its owner alone."""
    temporary = path.with_suffix(".tmp")
    temporary.unlink(missing_ok=True)
    temporary.touch(mode=0o600)
    temporary.write_text(text)
    temporary.chmod(mode)
    temporary.replace(path)


if __name__ == "__main__":
    main()
