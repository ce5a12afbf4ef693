"""The composition root of the local platform: every part and every arrow on one page."""

from collections.abc import Sequence

from deploy.local import environment, kafka_jars
from deploy.local.catalog import SERVICES
from deploy.local.gateway import Gateway
from deploy.local.kafka import Kafka
from deploy.local.part import Part
from deploy.local.postgres import Postgres
from deploy.local.service import Program, Service
from deploy.local.state import REPOSITORY, State
from deploy.local.tansu import Tansu
from deploy.local.vault import Secrets, Vault


def servers(state: State, ports: dict[str, int]) -> Sequence[Part]:
    """The three servers alone."""
    secrets = Secrets(state, ports)
    missing = kafka_jars.missing_program()
    kafka = Kafka(state, ports, secrets) if missing is None else Tansu(ports, secrets, missing)
    return [Vault(state, ports), Postgres(state, ports, secrets), kafka]


def everything(state: State, ports: dict[str, int]) -> Sequence[Part]:
    """The whole platform."""
    secrets = Secrets(state, ports)
    twice = state.twice.exists()
    services = [Service(state, ports, secrets, name) for name in SERVICES]
    services += [Service(state, ports, secrets, name, second=True) for name in SERVICES] if twice else []
    mail = Program(
        "mail", "deploy.local.mail", needs=(), ready=f"http://127.0.0.1:{ports['mail']}/readyz",
        env=lambda: {"KEPT_MAIL_PORT": str(ports["mail"]), "KEPT_SMTP_PORT": str(ports["smtp"])},
    )  # fmt: skip
    billing = Program(
        "billing", "examples.billing.app", needs=("vault", "kafka"), ready="",
        env=lambda: environment.write(state, ports, "billing"), own=lambda: environment.own(state, "billing"),
    )  # fmt: skip
    found = [service for service in services if (REPOSITORY / "services" / service.service / "app.py").exists()]
    foreign = [billing] if (REPOSITORY / "examples/billing/app.py").exists() else []
    return [*servers(state, ports), mail, *found, *foreign, Gateway(state, ports)]
