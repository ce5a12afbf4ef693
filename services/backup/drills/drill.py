"""A drill: restore a set into a scratch place, erase the erased again, ask the questions, sign the answers.

1. open the set: manifest and key. 2. fetch it: every part, the age stream, the archive. 3. check the files. 4. start
the scratch server, and before anything else replay the erasures. 5. the other checks. 6. stop it; the scratch place
goes, whatever happened. 7. the report, signed and durable. 8. row and event.

A set that does not open, fetch or start has failed its drill. A part of the platform that is away says nothing about
the set: that drill is interrupted.
"""

import asyncio
import hashlib
import logging
from dataclasses import dataclass, field

import psycopg

from services.backup.drills import actions, checks
from services.backup.formats import layout
from services.backup.formats import report as formats
from services.backup.formats.report import Check, Report
from services.backup.restore import erasures, scratch
from services.backup.restore.fetch import fetch
from services.backup.restore.horizons import carry_over
from services.backup.restore.left_out import LeftOut, left_out
from services.backup.restore.replay_erasures import replay
from services.backup.sets.open import Opened, open_set
from services.backup.sets.take import SYSTEM
from services.backup.wiring import Tools
from shared.clock import rfc3339
from shared.errors import KeptError, MalformedError, NotFoundError, TamperError, UnavailableError
from shared.notes.note import sign_note

log = logging.getLogger("kept.backup")


@dataclass
class Findings:
    manifest_sha256: str = "0" * 64
    erasures: int = 0
    left_out: LeftOut | None = None
    checks: list[Check] = field(default_factory=list)


async def drill(tools: Tools, drill_id: str, backup_id: str, *, as_trimmed: bool = False) -> None:
    """Runs the drill that `actions.begin` asked for; its row says how it ended."""
    try:
        found = await examine(tools, drill_id, backup_id, as_trimmed=as_trimmed)
        report = Report(
            drill_id, backup_id, found.manifest_sha256, rfc3339(tools.door.clock.now()), found.erasures,
            tuple(found.checks),
        )  # fmt: skip
        note = (await sign_note(formats.encode(report), tools.signer)).encode()  # 7
        await asyncio.to_thread(tools.store.put_new, layout.report(drill_id), note)
    except Exception as error:
        log.warning("drill interrupted: %s", error.detail if isinstance(error, KeptError) else type(error).__name__)
        async with tools.door.begin(SYSTEM) as w:
            await actions.interrupted(w, drill_id)
        if isinstance(error, KeptError):
            return
        raise
    async with tools.door.begin(SYSTEM) as w:  # 8
        await actions.finish(w, report, hashlib.sha256(note).hexdigest(), found.left_out)


async def examine(tools: Tools, drill_id: str, backup_id: str, *, as_trimmed: bool) -> Findings:
    """Steps 1 to 6."""
    found = Findings()
    root = tools.settings.scratch / drill_id[-8:]
    try:
        opened = await open_set(tools, backup_id)  # 1
        found.manifest_sha256 = opened.manifest_sha256
        found.checks.append(Check("manifest", True, "signed by backup, key unwrapped"))
        place = await asyncio.to_thread(scratch.make, root, tools.settings.postgres)
        await fetch(opened.manifest, opened.identity, opened.get, place.data)  # 2
        found.checks.append(_parts(opened))
        found.checks.append(await checks.files(place, tools.settings.postgres))  # 3
        try:
            await _ask(tools, place, found, as_trimmed=as_trimmed)
        except UnavailableError as error:  # the scratch server itself: it could not start on these files
            found.checks.append(Check("starts", False, error.code))
        except psycopg.Error as error:  # its type alone, for the log: a text may quote a row
            log.warning("drill: %s", type(error).__name__)
            found.checks.append(Check("answers", False, "the restored databases do not answer"))
    except (NotFoundError, MalformedError, TamperError) as error:
        found.checks.append(Check("restores", False, error.code))
    finally:
        await asyncio.shield(asyncio.to_thread(scratch.remove, root))  # 6
    return found


async def _ask(tools: Tools, place: scratch.Scratch, found: Findings, *, as_trimmed: bool) -> None:
    async with scratch.serving(place, tools.settings.postgres):
        carried = await carry_over(tools, place, as_trimmed=as_trimmed)
        erased = await erasures.known(tools.store)
        found.erasures = erasures.people(erased)
        await replay(place, erased, tools.door.clock.now())  # 4
        found.checks += await checks.opens(place)  # 5
        found.checks += await checks.erased(place, erased)
        says = "the keys of the newest drilled set, which need no version that is trimmed"
        found.checks += [Check(f"{formats.CARRIED}{holder}", True, says) for holder in carried.holders]
        found.left_out = left_out(carried, erased)
        found.checks += checks.left_out(found.left_out)
        found.checks += await checks.keys(place)
        found.checks += await checks.everyone(place)
        found.checks.append(await checks.structure(place, tools.settings.postgres))


def _parts(opened: Opened) -> Check:
    manifest = opened.manifest
    return Check("parts", True, f"{len(manifest.parts)} parts, {manifest.bytes} bytes, as the manifest says")
