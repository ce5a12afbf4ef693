"""A process that verifies the whole log once; see jobs.py.

python -m services.audit.scrub.process, with one JSON line on its standard input: the shards that must be there. One JSON object
comes out. It gives way to everything else on the machine, and ends when its standard input does.
"""

import asyncio
import json
import os
import sys
import threading

from services.audit.log.run import Options, Report, verify_log
from services.audit.log.seen import Seen
from services.audit.log.sources import opened
from services.audit.log.trust import Trust, log_keys
from services.audit.log.verify import shards
from services.audit.settings import AuditSettings
from services.audit.storage.open import keys_of_store
from shared.errors import KeptError
from shared.keys.vault import Vault

AWAY = 3
NICE = 19
S3_VARIABLES = {"access_key": "AWS_ACCESS_KEY_ID", "secret_key": "AWS_SECRET_ACCESS_KEY", "session_token": "AWS_SESSION_TOKEN"}


async def _trusted(settings: AuditSettings, vault: Vault, wanted: list[str]) -> Trust:
    """The keys as Vault says them: those that lie beside the log may have been changed with it."""
    keys = log_keys(vault, settings.log_name)
    return Trust.of([vkey for shard in wanted for vkey in await keys(shard)])


def scrub(settings: AuditSettings, wanted: list[str]) -> Report:
    """Verify the log that the settings name, which must have the shards `wanted`. KeptError where it cannot be read."""
    vault = Vault.of(settings)
    where = settings.log_store or str(settings.state_dir / "log")
    for name, value in asyncio.run(keys_of_store(settings, vault)).items():
        os.environ[S3_VARIABLES[name]] = value
    listed = shards(opened(where))
    trust = asyncio.run(_trusted(settings, vault, sorted({*listed, *wanted})))
    options = Options(
        workers=1,
        seen=Seen(settings.state_dir / "seen"),
        pinned=True,
        resume_dir=settings.state_dir / "scrub",
        unlisted=sorted(set(wanted) - set(listed)),
    )
    return verify_log(where, trust, options)


def main() -> int:
    os.nice(NICE)
    wanted = json.loads(sys.stdin.readline())
    threading.Thread(target=_orphaned, daemon=True).start()
    try:
        report = scrub(AuditSettings(), wanted)
    except KeptError as error:
        print(json.dumps({"error": error.code}))
        return AWAY
    print(json.dumps({
        "entries": report.entries, "faults": [vars(fault) for fault in report.faults], "uncounted": report.uncounted,
    }))  # fmt: skip
    return 0


def _orphaned() -> None:
    """The service that started this process is gone, or has enough."""
    sys.stdin.read()
    os._exit(AWAY)


if __name__ == "__main__":
    sys.exit(main())
