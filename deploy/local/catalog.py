"""Who is there and who may do what: services, signing keys, topics, readers and writers. Data, read in one look.

The three servers are provisioned from this page; a change here reaches them at the next `kept up`.
"""

from dataclasses import dataclass

SERVICES = ("identity", "customers", "audit", "backup", "dsar")
FOREIGN = ("billing",)  # another team's service, as an example
HOLDERS = (*SERVICES, *FOREIGN)
# Every part, in the order of starting; stopping goes backwards.
PARTS = ("vault", "postgres", "kafka", "mail", *HOLDERS, "gateway")

# -- Vault ------------------------------------------------------------------------------------------------------
KEKS = tuple(f"kept-{service}" for service in SERVICES)
SIGNING_KEYS = ("kept-tokens", "kept-log", *(f"kept-{holder}-notes" for holder in HOLDERS))
LOCATOR_KEY = "kept-locator"
BLIND_FIELDS = ("email", "phone")
BLIND_SERVICES = ("identity", "customers", "dsar")
OPERATORS = ("platform", "demo")
PUBLIC_KEYS = "public-keys"  # the policy of whoever verifies what others signed


def policies(role: str) -> tuple[str, ...]:
    """What a role's AppRole may: the files of deploy/vault by these names."""
    return (role, PUBLIC_KEYS) if role in HOLDERS else (role,)


# -- Kafka ------------------------------------------------------------------------------------------------------
COMMANDS = "kept.dsar.commands"
ANSWERS = "kept.dsar.answers"  # of before: nobody acts on it; our own services may still send what their outboxes hold
ANSWERING = ("identity", "customers", "audit", "dsar", *FOREIGN)  # each on a topic that nobody else may write


@dataclass(frozen=True)
class Topic:
    name: str
    partitions: int = 3


@dataclass(frozen=True)
class Access:
    """What a broker user may write and read. `reads_prefixes` is for the audit service, which reads everything."""

    writes: tuple[str, ...]
    reads: tuple[str, ...] = ()
    reads_prefixes: tuple[str, ...] = ()


def topics() -> tuple[Topic, ...]:
    events = [Topic(f"kept.{service}") for service in SERVICES]
    dead = [Topic(f"kept.{holder}.dlq", partitions=1) for holder in HOLDERS]
    answers = [Topic(answers_of(holder)) for holder in ANSWERING]
    return (*events, *dead, Topic(COMMANDS), Topic(ANSWERS), *answers, Topic("billing.events"))


def answers_of(holder: str) -> str:
    return f"{ANSWERS}.{holder}"


def _own(service: str) -> tuple[str, ...]:
    return (f"kept.{service}", f"kept.{service}.dlq")


_EVENTS = tuple(f"kept.{service}" for service in SERVICES)

ACCESS: dict[str, Access] = {
    "identity": Access(
        (*_own("identity"), answers_of("identity"), ANSWERS), (*_own("identity"), COMMANDS, ANSWERS, "kept.dsar")
    ),
    "customers": Access(
        (*_own("customers"), answers_of("customers"), ANSWERS),
        (*_own("customers"), COMMANDS, ANSWERS, "kept.identity", "kept.dsar"),
    ),
    "audit": Access((*_own("audit"), answers_of("audit"), ANSWERS), reads_prefixes=("kept.", "billing.")),
    "backup": Access(_own("backup"), (*_EVENTS, "kept.backup.dlq", COMMANDS, ANSWERS, "billing.events")),
    "dsar": Access(
        (*_own("dsar"), COMMANDS, answers_of("dsar"), ANSWERS),
        (*_EVENTS, "kept.dsar.dlq", COMMANDS, ANSWERS, *map(answers_of, ANSWERING)),
    ),
    "billing": Access(
        ("billing.events", "kept.billing.dlq", answers_of("billing")),
        ("billing.events", "kept.billing.dlq", COMMANDS, "kept.customers"),
    ),
}
