"""How this service reaches Kafka: one place for addresses, credentials and the producer's guarantees."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.bus.kafka import Admin, Consumer, Producer
from shared.errors import InvariantError
from shared.settings import ServiceSettings

if TYPE_CHECKING:  # thirty megabytes that a process without handlers does not need
    from faststream.security import BaseSecurity

REQUEST_BYTES_MAX = 2 * 1024 * 1024  # a dead letter carries a foreign record and why it died
REQUEST_SECONDS = 15
BATCH_BYTES = 64 * 1024  # of one partition: one is under way at a time; far below what a topic takes by default


@dataclass(frozen=True)
class BrokerSettings:
    """Where and as whom. `idempotence` is off only for a broker that lacks idempotent producers."""

    bootstrap: str
    security: str = "PLAINTEXT"
    user: str = ""
    password: str = field(default="", repr=False)
    idempotence: bool = True
    ca_file: Path | None = None  # who vouches for the broker, if not the system's roots

    @classmethod
    def of(cls, settings: ServiceSettings, password: str) -> "BrokerSettings":
        """From a service's settings; the password comes from Vault (`kept/<service>/kafka`)."""
        return cls(
            bootstrap=settings.kafka_bootstrap,
            security=settings.kafka_security,
            user=settings.service,
            password=password,
            idempotence=settings.kafka_idempotence,
            ca_file=settings.kafka_ca_file,
        )

    def client(self) -> dict[str, Any]:
        """Arguments for any aiokafka client."""
        found: dict[str, Any] = {"bootstrap_servers": self.bootstrap, "security_protocol": self.security}
        if (context := self._tls()) is not None:
            found["ssl_context"] = context
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

        context = self._tls()
        return SASLScram512(username=self.user, password=self.password, use_ssl=context is not None, ssl_context=context)

    def _tls(self) -> ssl.SSLContext | None:
        """Names and certificates are verified; None where the connection is in clear."""
        return ssl.create_default_context(cafile=self.ca_file) if self.security.endswith("SSL") else None

    def producer(self) -> Producer:
        """acks=all, idempotent: what is acknowledged is on every in-sync replica, once, in order."""
        return Producer(
            **self.client(),
            acks="all",
            enable_idempotence=self.idempotence,
            linger_ms=5,
            max_batch_size=BATCH_BYTES,
            max_request_size=REQUEST_BYTES_MAX,
            request_timeout_ms=REQUEST_SECONDS * 1000,
        )

    def consumer(self, *topics: str, **options: Any) -> Consumer:
        """A plain consumer that commits nothing by itself."""
        return Consumer(*topics, **self.client(), enable_auto_commit=False, **options)

    def admin(self) -> Admin:
        """An administrative client."""
        return Admin(**self.client())
