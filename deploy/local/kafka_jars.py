"""Apache Kafka's jars, resolved once with Maven into a cache that all installations of this user share."""

import asyncio
import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.local.errors import Exit, PlatformError

VERSION = "4.1.1"
LOG4J = "2.24.3"
MAVEN_SECONDS_MAX = 600
PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
POM = f"""\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>kept</groupId><artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{VERSION}</version></dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>{LOG4J}</version>
    </dependency>
  </dependencies>
</project>
"""


def cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "kept" / f"kafka-{VERSION}"


def missing_program() -> str | None:
    """What keeps Apache Kafka from running here; None when nothing does. Maven is needed for the first start only."""
    if shutil.which("java") is None:
        return "java"
    if not cache().is_dir() and shutil.which("mvn") is None:
        return "mvn"
    return None


async def jars() -> Path:
    """The directory of the jars; fetched on the first call of this machine."""
    found = cache()
    if not found.is_dir():
        await asyncio.to_thread(_fetch, found)
    return found


@contextmanager
def alone(target: Path) -> Iterator[None]:
    """Whoever makes `target` in the cache that all installations of a user share; the others wait, and find it made."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.with_name(f".{target.name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetch(target: Path) -> None:
    with alone(target):
        if not target.is_dir():
            _resolve(target)


def _resolve(target: Path) -> None:
    """Into a temporary directory, renamed when whole, so that a broken download is never taken for a cache."""
    with tempfile.TemporaryDirectory(dir=target.parent) as work:
        (Path(work) / "pom.xml").write_text(POM)
        try:
            done = subprocess.run(
                ["mvn", "-B", "-q", PLUGIN, "-DoutputDirectory=jars", "-DincludeScope=runtime"],
                cwd=work, capture_output=True, text=True, timeout=MAVEN_SECONDS_MAX,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise PlatformError(f"Maven took more than {MAVEN_SECONDS_MAX} s to fetch Apache Kafka") from error
        if done.returncode:
            lines = [line for line in done.stdout.splitlines() if "ERROR" in line] or ["[ERROR] no message"]
            raise PlatformError(f"Maven could not fetch Apache Kafka: {lines[0][:300]}", Exit.PROGRAM_MISSING)
        (Path(work) / "jars").replace(target)
