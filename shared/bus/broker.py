"""How this service reaches Kafka: one place for addresses, credentials and the producer's guarantees."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from shared.bus import records
from shared.errors import InvariantError
from shared.settings import ServiceSettings

if TYPE_CHECKING:  # thirty megabytes that a process without handlers does not need
    from faststream.security import BaseSecurity

REQUEST_BYTES_MAX = 2 * 1024 * 1024  # a dead letter carries a foreign record and why it died
REQUEST_SECONDS = 15
records.install()  # every consumer of ours starts from here


@dataclass(frozen=True)
class BrokerSettings:
    """Where and as whom. `idempotence` is off only for a broker that lacks idempotent producers."""

    bootstrap: str
    security: str = "PLAINTEXT"
    user: str = ""
    password: str = field(default="", repr=False)
    idempotence: bool = True

    @classmethod
    def of(cls, settings: ServiceSettings, password: str) -> "BrokerSettings":
        """From a service's settings; the password comes from Vault (`kept/<service>/kafka`)."""
        return cls(
            bootstrap=settings.kafka_bootstrap,
            security=settings.kafka_security,
            user=settings.service,
            password=password,
            idempotence=settings.kafka_idempotence,
        )

    def client(self) -> dict[str, Any]:
        """Arguments for any aiokafka client."""
        found: dict[str, Any] = {"bootstrap_servers": self.bootstrap, "security_protocol": self.security}
        if self.security.startswith("SASL"):
            if not (self.user and self.password):
                raise InvariantError("the broker wants a user and a password")
            found |= {
                "sasl_mechanism": "SCRAM-SHA-512",
                "sasl_plain_username": self.user,
                "sasl_plain_password": self.password,
            }
        return found

    def faststream(self) -> "BaseSecurity | None":
        """The same for FastStream."""
        if not self.security.startswith("SASL"):
            return None
        from faststream.security import SASLScram512

        return SASLScram512(username=self.user, password=self.password, use_ssl=self.security == "SASL_SSL")

    def producer(self) -> AIOKafkaProducer:
        """acks=all, idempotent: what is acknowledged is on every in-sync replica, once, in order."""
        return AIOKafkaProducer(
            **self.client(),
            acks="all",
            enable_idempotence=self.idempotence,
            linger_ms=5,
            max_request_size=REQUEST_BYTES_MAX,
            request_timeout_ms=REQUEST_SECONDS * 1000,
        )

    def consumer(self, *topics: str, **options: Any) -> AIOKafkaConsumer:
        """A plain consumer that commits nothing by itself."""
        return AIOKafkaConsumer(*topics, **self.client(), enable_auto_commit=False, **options)
