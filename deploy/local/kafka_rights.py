"""Topics and access rights in the broker, from the catalogue. Idempotent: what is there stays."""

import hashlib
from collections.abc import Iterator, Sequence
from enum import IntEnum

from aiokafka.admin import NewTopic
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.admin import CreateAclsRequest, CreateAclsRequest_v1

from deploy.local.catalog import ACCESS, topics
from deploy.local.errors import NotYetError
from shared.bus.kafka import Admin

TOPIC_EXISTS = 36


class Kind(IntEnum):
    TOPIC = 2
    GROUP = 3


class Pattern(IntEnum):
    LITERAL = 3
    PREFIXED = 4


class Operation(IntEnum):
    READ = 3
    WRITE = 4
    DESCRIBE = 8


ALLOW = 3
Right = tuple[str, Kind, str, Pattern, Operation]


async def connect(port: int, user: str | None, password: str, host: str = "127.0.0.1") -> Admin:
    """An administrative client; without a user, for the broker that has no authentication."""
    sasl = {} if user is None else {
        "security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": user, "sasl_plain_password": password,
    }  # fmt: skip
    client = Admin(bootstrap_servers=f"{host}:{port}", request_timeout_ms=15_000, **sasl)
    try:
        await client.start()
    except KafkaError as error:
        await client.close()
        raise NotYetError("for it to accept connections") from error
    return client


def rights() -> Iterator[Right]:
    """(user, kind, name, pattern, operation), all of them."""
    for user, access in ACCESS.items():
        for topic in access.writes:
            yield user, Kind.TOPIC, topic, Pattern.LITERAL, Operation.WRITE
        for topic in {*access.reads, *access.writes}:  # a relay reads back what it wrote before it sends again
            yield user, Kind.TOPIC, topic, Pattern.LITERAL, Operation.READ
        for prefix in access.reads_prefixes:
            yield user, Kind.TOPIC, prefix, Pattern.PREFIXED, Operation.READ
        for prefix in (f"kept.{user}", f"kept-{user}", user):  # its own consumer groups
            yield user, Kind.GROUP, prefix, Pattern.PREFIXED, Operation.READ


def fingerprint() -> str:
    """Changes when a topic or a right in the catalogue does; then they are provisioned again."""
    every = [repr(topic) for topic in topics()] + sorted(repr(right) for right in rights())
    return hashlib.sha256("\n".join(every).encode()).hexdigest()


async def provision(port: int, user: str | None, password: str, host: str = "127.0.0.1") -> None:
    client = await connect(port, user, password, host)
    try:
        await _topics(client)
        if user is not None:
            await _allow(client, list(rights()))
    finally:
        await client.close()


async def _topics(client: Admin) -> None:
    there = set(await client.list_topics())
    missing = [
        NewTopic(topic.name, topic.partitions, 1, topic_configs={"retention.ms": "-1", "cleanup.policy": "delete"})
        for topic in topics()
        if topic.name not in there
    ]
    if not missing:
        return
    answer = await client.create_topics(missing)
    for name, code, *_ in answer.topic_errors:
        if code not in (0, TOPIC_EXISTS):
            raise NotYetError(f"for topic {name}: {for_code(code).__name__}")


class _Allow(CreateAclsRequest):  # type: ignore[misc]  # aiokafka has no types
    """aiokafka's request makes one right; the protocol takes all at once."""

    def __init__(self, rights: Sequence[Right]) -> None:
        self._rights = rights

    def build(self, request_struct_class: object) -> CreateAclsRequest_v1:
        return CreateAclsRequest_v1(
            [(kind, name, pattern, f"User:{user}", "*", op, ALLOW) for user, kind, name, pattern, op in self._rights]
        )


async def _allow(client: Admin, asked: Sequence[Right]) -> None:
    answer = await client.ask(_Allow(asked))
    for (code, _text), (user, _, name, *_) in zip(answer.creation_responses, asked, strict=True):
        if code:
            raise NotYetError(f"for a right of {user} on {name}: {for_code(code).__name__}")
