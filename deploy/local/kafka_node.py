"""One Kafka node on disk: its configuration, its first format, the command that runs it. No part of the platform yet: that is
kafka.py.

Retention is unlimited, because the audit log is built from the topics; auto-creation of topics is off.
"""

import base64
import shutil
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.errors import Exit, PlatformError
from deploy.local.state import write_private

ADMIN = "kafka"
FORMAT_SECONDS_MAX = 120
PROPERTIES = """\
# Written at every start by deploy/local/kafka_node.py.
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


@dataclass(frozen=True)
class Node:
    root: Path
    port: int
    controller: int
    jars: Path
    password: str = field(repr=False)

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def _properties(self) -> Path:
        return self.root / "server.properties"

    @property
    def _formatted(self) -> Path:
        return self.root / "formatted"

    @property
    def is_formatted(self) -> bool:
        return self._formatted.exists()

    def configure(self) -> None:
        """Writes its files anew, as at every start."""
        self.root.mkdir(exist_ok=True)
        self.root.chmod(0o700)
        text = PROPERTIES.format(
            port=self.port, controller=self.controller, password=self.password, data=self.data,
            scram=f"{_MODULE}.scram.ScramLoginModule", plain=f"{_MODULE}.plain.PlainLoginModule",
        )  # fmt: skip
        write_private(self._properties, text)
        write_private(self.root / "log4j2.yaml", LOG4J)

    def command(self, options: Sequence[str]) -> tuple[str, ...]:
        """`options` are the JVM's (kafka_classes.py)."""
        return (*self._java(options), "kafka.Kafka", str(self._properties))

    def _java(self, options: Sequence[str]) -> tuple[str, ...]:
        log4j = f"-Dlog4j2.configurationFile={self.root / 'log4j2.yaml'}"
        return ("java", *options, log4j, f"-Dkafka.logs.dir={self.root}", "-cp", f"{self.jars}/*")

    def format(self, options: Sequence[str], users: Mapping[str, str]) -> None:
        """Every user's credentials are part of the first metadata record. Not marked as done until it is."""
        if self.data.exists():  # an earlier format was cut short: nothing was ever served from it
            shutil.rmtree(self.data)
        cluster = _cluster_id()
        arguments = [f"--cluster-id={cluster}", f"--config={self._properties}"]
        everyone = {ADMIN: self.password, **users}
        arguments += [f"--add-scram=SCRAM-SHA-512=[name={user},password={word}]" for user, word in everyone.items()]
        # The passwords go by an argument file, which only we can read: `ps` shows its name alone.
        file = self.root / "format.args"
        write_private(file, "\n".join(f'"{line}"' for line in ["kafka.tools.StorageTool", "format", *arguments]))
        try:
            done = subprocess.run(
                [*self._java(options), f"@{file}"], capture_output=True, text=True, cwd=self.root, timeout=FORMAT_SECONDS_MAX
            )
        finally:
            file.unlink()
        if done.returncode:
            last = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
            raise PlatformError(f"Apache Kafka could not format its directory: {last[:300]}", Exit.STATE_BROKEN)
        write_private(self._formatted, cluster + "\n")


def _cluster_id() -> str:
    while True:
        made = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not made.startswith("-"):  # would read as an option
            return made
