"""Apache Kafka in KRaft mode: one node, SCRAM-SHA-512 for every client, every user's rights in the authorizer.

Acknowledged records lie in the page cache until the kernel writes them: they survive a kill of the process, and a power cut
on one machine costs at most what the outbox tables still have and send again.
"""

import asyncio
import signal

from deploy.local import kafka_classes, kafka_jars, kafka_rights, users
from deploy.local.catalog import HOLDERS
from deploy.local.errors import NotYetError
from deploy.local.kafka_node import ADMIN, Node
from deploy.local.part import Launch
from deploy.local.ports import answers
from deploy.local.state import State, write_private
from deploy.local.vault import Secrets


class Kafka:
    """The part."""

    name = "kafka"
    needs: tuple[str, ...] = ("vault",)
    stop_signal = signal.SIGTERM
    stop_seconds = 30.0

    def __init__(self, state: State, ports: dict[str, int], secrets: Secrets) -> None:
        self._ports, self._secrets = ports, secrets
        self.root = state.root / "kafka"
        self._provisioned = self.root / "provisioned"

    def note(self) -> str:
        return ""

    async def prepare(self) -> Launch:
        jars = await kafka_jars.jars()
        await asyncio.to_thread(kafka_classes.make, jars)
        node = Node(self.root, self._ports["kafka"], self._ports["kafka_controller"], jars, await self._password())
        node.configure()
        options = kafka_classes.options(jars)
        if not node.is_formatted:
            self._provisioned.unlink(missing_ok=True)
            holders = {holder: await self._secrets.password(f"{holder}/kafka") for holder in HOLDERS}
            await asyncio.to_thread(node.format, options, holders)
        users.give(self.name, self.root, *self.root.iterdir())
        return Launch((*users.prefix(self.name, self.root, jars.parent), *node.command(options)), cwd=self.root)

    async def _password(self) -> str:
        return await self._secrets.password("platform/kafka")

    async def probe(self) -> None:
        if not await answers(self._ports["kafka"]):  # cheap: it is asked often while the JVM starts
            raise NotYetError("for it to accept connections")
        try:
            client = await kafka_rights.connect(self._ports["kafka"], ADMIN, await self._password())
        except (TimeoutError, OSError) as error:
            raise NotYetError("for it to accept connections") from error
        await client.close()

    async def settle(self) -> None:
        """Topics and rights are kept by the broker: given once, and again when the catalogue changes."""
        wanted = kafka_rights.fingerprint()
        if self._provisioned.exists() and self._provisioned.read_text() == wanted:
            return
        await kafka_rights.provision(self._ports["kafka"], ADMIN, await self._password())
        write_private(self._provisioned, wanted)
        users.give(self.name, self._provisioned)
