"""Every measurement, one after another, each a process of its own; one that fails does not keep the others from being made."""

import os
import subprocess
import sys
import time

from tests.bench import report

SCRIPTS = [name.replace("-", "_") for name in report.SECTIONS]


def main() -> int:
    """All of them in one directory, which is removed at the end (report.workplace says why)."""
    with report.workplace() as root:
        return _measured({**os.environ, report.KEEP: "1", "KEPT_BENCH_DIR": str(root)})


def _measured(env: dict[str, str]) -> int:
    failed = []
    for script in SCRIPTS:
        began = time.monotonic()
        print(f"-- {script}", flush=True)
        done = subprocess.run([sys.executable, "-m", f"tests.bench.{script}", *sys.argv[1:]], env=env)
        print(f"-- {script}: {'done' if done.returncode == 0 else 'FAILED'} in {time.monotonic() - began:.0f} s", flush=True)
        if done.returncode:
            failed.append(script)
    written = "nothing was written" if "--quick" in sys.argv else "docs/benchmarks.md is up to date"
    print(f"not measured: {', '.join(failed)}" if failed else written)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
