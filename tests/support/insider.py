"""A service's own credentials, in the hands of a test: what somebody who took over that one service could do.

Also the operator's hands: seal and open the Vault.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import hvac
import psycopg
from aiokafka import AIOKafkaProducer

from deploy.local import environment, vault_provision
from deploy.local.state import State
from shared.bus.broker import BrokerSettings
from shared.bus.kafka.consumer import Consumer


class Insider:
    """`service`'s way into Vault, PostgreSQL and Kafka."""

    def __init__(self, state: State, service: str) -> None:
        self.service = service
        self.env = environment.read(state, service)
        self.vault = hvac.Client(url=self.env["KEPT_VAULT_ADDR"], timeout=10)
        secret = state.secret_id(service).read_text().strip()
        self.vault.auth.approle.login(self.env["KEPT_VAULT_ROLE_ID"], secret)

    def secret(self, path: str) -> dict[str, str]:
        """The secret at kept/<path>; hvac.exceptions.Forbidden where the policy says no."""
        found: dict[str, str] = self.vault.read(f"kept/data/{path}")["data"]["data"]
        return found

    def connect(self, database: str) -> "psycopg.Connection[tuple[Any, ...]]":
        """Into `database` with this service's role."""
        return psycopg.connect(
            host=self.env["KEPT_DATABASE_HOST"],
            port=int(self.env["KEPT_DATABASE_PORT"]),
            dbname=database,
            user=self.service,
            password=self.secret(f"{self.service}/database")["password"],
            connect_timeout=10,
        )

    @property
    def authenticated(self) -> bool:
        """Whether the broker knows who is who (Apache Kafka; the stand-in does not)."""
        return self.env["KEPT_KAFKA_SECURITY"] != "PLAINTEXT"

    def broker(self, **other: str) -> BrokerSettings:
        password = self.secret(f"{self.service}/kafka")["password"] if self.authenticated else ""
        values: dict[str, Any] = {"user": self.service, "password": password} | other
        return BrokerSettings(self.env["KEPT_KAFKA_BOOTSTRAP"], self.env["KEPT_KAFKA_SECURITY"], **values)

    def producer(self) -> AIOKafkaProducer:
        return AIOKafkaProducer(**self.broker().client(), request_timeout_ms=10_000)

    def consumer(self, *topics: str) -> Consumer:
        return (
            self.broker().consumer(auto_offset_reset="earliest")
            if not topics
            else Consumer(
                *topics, **self.broker().client(), group_id=None, auto_offset_reset="earliest", enable_auto_commit=False
            )
        )


def unseal_keys(state: State) -> list[str]:
    """Of the local key service."""
    record = state.read_json(state.vault / "unseal.json")
    assert record is not None
    keys = record["keys"]
    assert isinstance(keys, list)
    return [str(key) for key in keys]


@contextmanager
def sealed(state: State) -> Iterator[None]:
    """Vault is sealed inside the block, and opened again after it, whatever happens."""
    address = environment.read(state, "identity")["KEPT_VAULT_ADDR"]
    keys = unseal_keys(state)
    root = hvac.Client(url=address, token=vault_provision.generate_root(address, keys[:2]), timeout=10)
    root.sys.seal()
    try:
        yield
    finally:
        hvac.Client(url=address, timeout=10).sys.submit_unseal_keys(keys[:2])
        wait_until(lambda: httpx.get(f"{address}/v1/sys/health", timeout=5).status_code == httpx.codes.OK)
        root.auth.token.revoke_self()


def wait_until(true: Callable[[], object], seconds: float = 120.0, step: float = 0.3) -> Any:
    """The first true answer; AssertionError after `seconds`."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if found := true():
                return found
        except (OSError, httpx.HTTPError, hvac.exceptions.VaultError, psycopg.Error):
            pass
        time.sleep(step)
    raise AssertionError(f"not within {seconds} s")
