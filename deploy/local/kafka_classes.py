"""How the broker's JVM is started: a bounded heap, the quick compiler alone, and its classes from an archive.

A broker on one person's machine is started more often than it is busy. Class-data sharing (the JVM's own,
`-XX:SharedArchiveFile`) maps the classes of an earlier run instead of parsing 43 MB of jars again, and without the
optimising compiler nothing is compiled twice. Measured until the port answers: 6.5 s of processor time without, 2.0 s with.

The archive is made once per machine and JVM, by a broker that is started in a temporary place and stopped again. A JVM
that finds the archive unfit (another build, other jars) reads the jars.
"""

import contextlib
import hashlib
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from deploy.local.kafka_jars import alone
from deploy.local.kafka_node import Node

OPTIONS = (
    "-Xms128m",
    "-Xmx448m",
    "-XX:+UseSerialGC",
    "-XX:MaxDirectMemorySize=128m",
    "-XX:TieredStopAtLevel=1",
    "-Xshare:auto",
)
TRAINING_SECONDS_MAX = 90


def archive(jars: Path) -> Path:
    """Where the archive for these jars and the JVM of this machine is, or would be."""
    java = Path(shutil.which("java") or "java").resolve()
    about = java.stat()
    which = hashlib.sha256(f"{java} {about.st_size} {about.st_mtime_ns}".encode()).hexdigest()[:12]
    return jars.with_name(f"{jars.name}-{which}.jsa")


def options(jars: Path) -> tuple[str, ...]:
    """For a JVM that is started now."""
    found = archive(jars)
    return (*OPTIONS, f"-XX:SharedArchiveFile={found}") if found.exists() else OPTIONS


def make(jars: Path) -> None:
    """Makes the archive, unless it is there. Without one everything works, a few seconds slower: nothing is raised."""
    target = archive(jars)
    if target.exists():
        return
    with alone(target), tempfile.TemporaryDirectory(dir=target.parent, ignore_cleanup_errors=True) as work:
        if target.exists():
            return
        try:
            made = _train(Path(work), jars)
            made.replace(target)
        except (OSError, subprocess.SubprocessError, TimeoutError) as error:
            print(
                f"kafka: no archive of classes, starts stay slower: {type(error).__name__}: {error}",
                file=sys.stderr,
                flush=True,
            )


def _train(work: Path, jars: Path) -> Path:
    """One whole life of a broker: formatted, started, asked, stopped; at its end the JVM writes what it had loaded."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(2)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        port, controller = (int(one.getsockname()[1]) for one in sockets)
    node = Node(work / "node", port, controller, password=secrets.token_urlsafe(16), jars=jars)
    node.configure()
    node.format(OPTIONS, {})
    made = work / "classes.jsa"
    with subprocess.Popen(
        node.command((*OPTIONS, f"-XX:ArchiveClassesAtExit={made}")), cwd=node.root, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    ) as broker:  # fmt: skip
        try:
            _wait_answers(port, broker)
            broker.send_signal(signal.SIGTERM)
            broker.wait(TRAINING_SECONDS_MAX)
        finally:
            broker.kill()
    return made


def _wait_answers(port: int, broker: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + TRAINING_SECONDS_MAX
    while time.monotonic() < deadline and broker.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError("the broker did not start")
