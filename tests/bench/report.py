"""docs/benchmarks.md, section by section: each script replaces its own, between its markers."""

import argparse
import os
import platform
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psutil

REPORT = Path(__file__).parents[2] / "docs" / "benchmarks.md"
SECTIONS = (
    "relay",
    "ingest",
    "index",
    "tax",
    "imports",
    "rehash",
    "verify",
    "scale",
    "side-by-side",
    "partitions",
    "fields",
    "rewrap",
    "demo",
)
KEEP = "KEPT_BENCH_KEEP"
HEAD = """\
# Benchmarks

`make bench` measures everything here again, on your machine, and replaces the figures; each section says on which machine and
when it was measured. Every figure stands beside what it cannot be better than, measured in the same run.
"""


def arguments(about: str | None) -> argparse.Namespace:
    """`--quick`: small, for trying the script out; prints its section and leaves the report as it is."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--quick", action="store_true", help="a run of seconds; prints, and does not touch the report")
    return parser.parse_args()


def directory() -> Path:
    """Where to measure: KEPT_BENCH_DIR, else /tmp. Not a memory file system, whose fsync costs nothing."""
    return Path(os.environ.get("KEPT_BENCH_DIR") or "/tmp").resolve()


@contextmanager
def workplace() -> Iterator[Path]:
    """A directory to measure in. With KEPT_BENCH_KEEP it stays, for who started the script to remove: some file systems make
    new files slowly for minutes after many others were deleted, which the next measurement would show."""
    root = Path(tempfile.mkdtemp(prefix="kept-bench-", dir=directory()))
    root.chmod(0o711)  # PostgreSQL's user must pass through
    try:
        yield root
    finally:
        if KEEP not in os.environ:
            shutil.rmtree(root, ignore_errors=True)


def file_system() -> str:
    """The kind that holds `directory()`, and whether it has a journal where that is known: it decides what fsync costs."""
    where = directory()
    disks = [disk for disk in psutil.disk_partitions(all=True) if where.is_relative_to(disk.mountpoint)]
    disk = max(disks, key=lambda one: len(one.mountpoint))
    options = Path(f"/proc/fs/ext4/{Path(disk.device).name}/options")
    without = options.is_file() and "data=" not in options.read_text()
    return f"{disk.fstype}{' without a journal' if without else ''}"


def machine() -> str:
    """The machine, in one line."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    kernel = platform.release().partition("-")[0]
    cores = f"{os.cpu_count()} cores ({model[1] if model else platform.machine()}), {memory:.0f} GB"
    return f"{cores}, {file_system()} on a virtual disk, Linux {kernel}, Python {platform.python_version()}"


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table; numbers are given as texts already."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


_BEGAN = psutil.cpu_times()


def taken() -> str:
    """How much of the processors' time other machines on the same host took since this script began; empty where none did."""
    now = psutil.cpu_times()
    stolen = getattr(now, "steal", 0.0) - getattr(_BEGAN, "steal", 0.0)
    percent = 100 * stolen / max(sum(now) - sum(_BEGAN), 1.0)
    return f"; other machines on its host took {percent:.0f} % of the processors' time" if percent >= 0.5 else ""


def section(name: str, title: str, text: str, *, quick: bool) -> None:
    """Replace the section `name`; prints it, too. A figure that was not measured on a quiet machine says so itself."""
    load = os.getloadavg()[0]
    when = f"{datetime.now(UTC):%Y-%m-%d}, {machine()}{taken()}"
    said = f"## {title}\n\nMeasured {when}.\n\n{text.strip()}\n"
    print(said, f"(load average at the end: {load:.1f})", flush=True)
    if not quick:
        write(name, said)


def write(name: str, said: str) -> None:
    """The report with `said` as the section `name`; sections stand in the order of SECTIONS."""
    found = dict.fromkeys(SECTIONS, "")
    if REPORT.exists():
        for match in re.finditer(r"<!-- begin (\S+) -->\n(.*?)<!-- end \1 -->", REPORT.read_text(), re.DOTALL):
            found[match[1]] = match[2]
    found[name] = said
    parts = [f"<!-- begin {key} -->\n{value}<!-- end {key} -->\n" for key, value in found.items() if value]
    REPORT.write_text("\n".join([HEAD, *parts]))
