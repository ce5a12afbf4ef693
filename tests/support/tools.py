"""Programs in Go that are not ours, built once from the Go module proxy into a cache that all checkouts of this user share.

The versions are pinned by the go.mod and go.sum of the module directory that names them (tests/foreign). Only where Go is
absent or too old is a test skipped, by name; with KEPT_REQUIRE_SERVERS it fails instead.
"""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import pytest

FOREIGN = Path(__file__).parents[1] / "foreign"
GO_AT_LEAST = (1, 24)  # `tool` lines in go.mod
BUILD_SECONDS_MAX = 900  # the first time downloads what they need


def build(package: str, module: Path = FOREIGN) -> Path:
    """The program of the Go package `package`, as the module directory `module` pins it."""
    try:
        return _built(package, module)
    except FileNotFoundError as missing:
        absent = str(missing)
    if os.environ.get("KEPT_REQUIRE_SERVERS"):
        pytest.fail(absent)
    pytest.skip(absent)


@cache
def _built(package: str, module: Path) -> Path:
    version = _go_version()
    sources = sorted(p for p in module.rglob("*") if p.suffix == ".go" or p.name in ("go.mod", "go.sum"))
    digest = hashlib.sha256("\n".join([package, version, *(p.read_text() for p in sources)]).encode()).hexdigest()
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kept" / "go"
    name = package.rstrip("/").rpartition("/")[2]
    program = base / digest[:16] / name
    if not program.is_file():
        program.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=base) as work:  # renamed when whole: a broken build is never taken for one
            command = ["go", "build", "-buildvcs=false", "-o", f"{work}/{name}", package]
            done = subprocess.run(command, cwd=module, capture_output=True, text=True, timeout=BUILD_SECONDS_MAX)
            assert done.returncode == 0, f"{package} could not be built: {done.stderr[-2000:]}"
            Path(work, name).replace(program)
    return program


def _go_version() -> str:
    """FileNotFoundError where Go is absent or older than GO_AT_LEAST."""
    if shutil.which("go") is None:
        raise FileNotFoundError("Go is not installed, and this test's judge is written in it")
    said = subprocess.run(["go", "env", "GOVERSION"], capture_output=True, text=True, check=True).stdout.strip()
    found = re.match(r"go(\d+)\.(\d+)", said)
    if found and (int(found[1]), int(found[2])) < GO_AT_LEAST:
        raise FileNotFoundError(f"Go {'.'.join(map(str, GO_AT_LEAST))} or newer is needed, and this is {said}")
    return said
