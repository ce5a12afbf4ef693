"""The composition root of the local platform: every part and every arrow on one page."""

from collections.abc import Sequence

from deploy.local import kafka_jars
from deploy.local.kafka import Kafka
from deploy.local.part import Part
from deploy.local.postgres import Postgres
from deploy.local.state import State
from deploy.local.tansu import Tansu
from deploy.local.vault import Secrets, Vault

# In the order of starting; stopping goes backwards.
ORDER = (
    "vault", "postgres", "kafka", "mail", "identity", "customers", "audit", "backup", "dsar", "billing", "gateway",
)  # fmt: skip


def servers(state: State, ports: dict[str, int]) -> Sequence[Part]:
    """The three servers alone."""
    secrets = Secrets(state, ports)
    missing = kafka_jars.missing_program()
    kafka: Part = Kafka(state, ports, secrets) if missing is None else Tansu(state, ports, missing)
    return [Vault(state, ports), Postgres(state, ports, secrets), kafka]


def everything(state: State, ports: dict[str, int]) -> Sequence[Part]:
    return servers(state, ports)
