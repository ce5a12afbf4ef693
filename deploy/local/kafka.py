"""Apache Kafka in KRaft mode: one node, SCRAM-SHA-512 for every client, every user's rights in the authorizer.

Retention is unlimited, because the audit log is built from the topics; auto-creation of topics is off.
Acknowledged records lie in the page cache until the kernel writes them: they survive a kill of the process, and a power cut
on one machine costs at most what the outbox tables still have and send again.
"""

import asyncio
import base64
import shutil
import signal
import subprocess
import uuid
from pathlib import Path

from deploy.local import kafka_jars
from deploy.local.catalog import HOLDERS
from deploy.local.errors import Exit, NotYetError, PlatformError
from deploy.local.kafka_rights import connect, provision
from deploy.local.part import Launch
from deploy.local.state import State, write_private
from deploy.local.vault import Secrets

ADMIN = "kafka"
HEAP = ("-Xms128m", "-Xmx448m", "-XX:+UseSerialGC", "-XX:MaxDirectMemorySize=128m", "-Xshare:auto")
PROPERTIES = """\
# Written at every start by deploy/local/kafka.py.
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=CLIENTS://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=CLIENTS://127.0.0.1:{port}
listener.security.protocol.map=CLIENTS:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=CLIENTS
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512
sasl.mechanism.controller.protocol=PLAIN
listener.name.clients.sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.clients.scram-sha-512.sasl.jaas.config={scram} required username="kafka" password="{password}";
listener.name.controller.sasl.enabled.mechanisms=PLAIN
listener.name.controller.plain.sasl.jaas.config={plain} required username="kafka" password="{password}" user_kafka="{password}";
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:kafka
allow.everyone.if.no.acl.found=false
log.dirs={data}
auto.create.topics.enable=false
log.retention.ms=-1
log.retention.bytes=-1
min.insync.replicas=1
default.replication.factor=1
num.partitions=3
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
offsets.retention.minutes=5256000
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
num.network.threads=2
num.io.threads=4
log.cleaner.dedupe.buffer.size=16777216
"""
LOG4J = """\
Configuration:
  status: error
  Appenders:
    Console: {name: out, PatternLayout: {pattern: "%d{ISO8601} %p %c{1} %m%n"}}
  Loggers:
    Root: {level: warn, AppenderRef: {ref: out}}
"""
_MODULE = "org.apache.kafka.common.security"


class Kafka:
    """The part."""

    name = "kafka"
    needs: tuple[str, ...] = ("vault",)
    stop_signal = signal.SIGTERM
    stop_seconds = 30.0

    def __init__(self, state: State, ports: dict[str, int], secrets: Secrets) -> None:
        self._state, self._ports, self._secrets = state, ports, secrets
        self.root = state.root / "kafka"
        self._properties = self.root / "server.properties"

    def note(self) -> str:
        return ""

    async def prepare(self) -> Launch:
        jars = await kafka_jars.jars()
        self.root.mkdir(exist_ok=True)
        self.root.chmod(0o700)
        password = await self._secrets.password("platform/kafka")
        text = PROPERTIES.format(
            port=self._ports["kafka"], controller=self._ports["kafka_controller"], password=password,
            data=self.root / "data", scram=f"{_MODULE}.scram.ScramLoginModule", plain=f"{_MODULE}.plain.PlainLoginModule",
        )  # fmt: skip
        write_private(self._properties, text)
        write_private(self.root / "log4j2.yaml", LOG4J)
        if not (self.root / "formatted").exists():
            users = {ADMIN: password}
            for holder in HOLDERS:
                users[holder] = await self._secrets.password(f"{holder}/kafka")
            await asyncio.to_thread(self._format, jars, users)
        return Launch((*self._java(jars), "kafka.Kafka", str(self._properties)), cwd=self.root)

    def _java(self, jars: Path) -> tuple[str, ...]:
        return (
            "java", *HEAP, f"-Dlog4j2.configurationFile={self.root / 'log4j2.yaml'}", f"-Dkafka.logs.dir={self.root}",
            "-cp", f"{jars}/*",
        )  # fmt: skip

    def _format(self, jars: Path, users: dict[str, str]) -> None:
        """Every user's credentials are part of the first metadata record. Not marked as done until it is."""
        data = self.root / "data"
        if data.exists():  # an earlier format was cut short: nothing was ever served from it
            shutil.rmtree(data)
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        while cluster.startswith("-"):  # would read as an option
            cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        arguments = [f"--cluster-id={cluster}", f"--config={self._properties}"]
        arguments += [f"--add-scram=SCRAM-SHA-512=[name={user},password={word}]" for user, word in users.items()]
        # The passwords go by an argument file, which only we can read: `ps` shows its name alone.
        file = self.root / "format.args"
        write_private(file, "\n".join(f'"{line}"' for line in ["kafka.tools.StorageTool", "format", *arguments]))
        try:
            done = subprocess.run([*self._java(jars), f"@{file}"], capture_output=True, text=True, cwd=self.root, timeout=120)
        finally:
            file.unlink()
        if done.returncode:
            last = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
            raise PlatformError(f"Apache Kafka could not format its directory: {last[:300]}", Exit.STATE_BROKEN)
        write_private(self.root / "formatted", cluster + "\n")

    async def _password(self) -> str:
        return await self._secrets.password("platform/kafka")

    async def probe(self) -> None:
        try:
            client = await connect(self._ports["kafka"], ADMIN, await self._password())
        except (TimeoutError, OSError, NotYetError) as error:
            raise NotYetError("for it to accept connections") from error
        await client.close()

    async def settle(self) -> None:
        await provision(self._ports["kafka"], ADMIN, await self._password())
