"""Who is there and who may do what: services, signing keys, topics, readers and writers. Who may talk to whom, as what, is read
from the table of arrows (deploy/arrows/arrows.toml).

The three servers are provisioned from this page; a change here or there reaches them at the next `kept up`.
"""

from dataclasses import dataclass

from deploy.arrows.table import table

_TABLE = table()
SERVICES = _TABLE.of_kind("service")
SECOND = {service: f"{service}-2" for service in SERVICES}  # the second process of each, where there are two
FOREIGN = _TABLE.of_kind("foreign")  # another team's service, as an example
HOLDERS = (*SERVICES, *FOREIGN)
# Every part, in the order of starting; stopping goes backwards.
PARTS = ("vault", "postgres", "kafka", "mail", *HOLDERS, "gateway")
EVERY_PART = (*PARTS[:-1], *SECOND.values(), PARTS[-1])

# -- Vault ------------------------------------------------------------------------------------------------------
KEKS = tuple(f"kept-{service}" for service in SERVICES)
SIGNING_KEYS = ("kept-tokens", "kept-log", *(f"kept-{holder}-notes" for holder in HOLDERS))
LOCATOR_KEY = "kept-locator"
# Of whose versions the keys of blind indexes are made (shared/keys/blind.py).
BLIND_KEYS = tuple(f"kept-{service}-blind" for service in ("identity", "customers", "dsar"))
HASH_KEYS = (LOCATOR_KEY, *BLIND_KEYS, "kept-customers-forgotten")
OPERATORS = _TABLE.of_kind("operator")


def policies(role: str) -> tuple[str, ...]:
    """What a role's AppRole may: the files of deploy/vault by these names."""
    return (role, *_TABLE.sharing[role])


# -- Kafka ------------------------------------------------------------------------------------------------------
ACCESS = _TABLE.kafka
COMMANDS = "kept.dsar.commands"
ANSWERS = "kept.dsar.answers"  # of before: nobody acts on it; our own services may still send what their outboxes hold


def answers_of(holder: str) -> str:
    return f"{ANSWERS}.{holder}"


ANSWERING = tuple(one for one in HOLDERS if answers_of(one) in ACCESS[one].writes)  # each on a topic nobody else may write


@dataclass(frozen=True)
class Topic:
    name: str
    partitions: int = 3


def topics() -> tuple[Topic, ...]:
    """Every one that somebody writes."""
    names = dict.fromkeys(topic for access in ACCESS.values() for topic in access.writes)
    return tuple(Topic(name, partitions=1) if name.endswith(".dlq") else Topic(name) for name in names)
