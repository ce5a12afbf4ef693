"""`kept keys rotate`: by who operates Kept, with the key service's role `rotation`."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import typer

from services.backup.base import TABLES
from services.backup.rotation.model import HASHES, HOLDERS, Step, kek
from services.backup.rotation.rotate import Rotation
from services.backup.settings import BackupSettings
from shared.blobs import PosixStore
from shared.cli import AWAY, Json, echo, say, told
from shared.commands.keys import all_settled, app, behind, unmarked
from shared.installed import ground_now, operator, settings_of

POLL_SECONDS = 2.0
OURS = (*HOLDERS, "backup")
ROTATED = ("kept-log", "kept-tokens", *map(kek, OURS), *HASHES, *(f"kept-{one}-notes" for one in OURS))
SAYS = {
    Step.BEGIN: "a rotation begins",
    Step.ROTATE: "every key has a new version",
    Step.TRIM: "old versions are trimmed: no older backup's keys can be unwrapped any more, and no old hash finds anybody",
    Step.TELL: "done; the erasure horizon has moved, and an event says so",
}
DRILL = "a set taken now, and drilled: kept backup run && kept backup drill newest"
REHEARSE = "the oldest set that is kept to be restored with the newest keys: its drill is asked for, /backups shows it"
MARK = (
    "marks of {left} identifiers of people whom an older version forgot: the list of the forgotten loses them with the old "
    "version of the locators' key, and then an old file brings them back. Check every old file that is still anywhere "
    "(kept customers import --check), which makes marks; what no file has, --leave-unmarked gives up"
)
WAITS = (Step.REWRAP, Step.MARK, Step.DRILL, Step.REHEARSE)
COUNTED = {Step.REWRAP: behind, Step.MARK: unmarked}  # of what is waited for, how many


@asynccontextmanager
async def _rotation(*, leave_unmarked: bool = False) -> AsyncIterator[Rotation]:
    settings = BackupSettings(**settings_of("backup").model_dump())
    base = await ground_now(settings, TABLES)
    try:
        yield Rotation(
            operator("rotation"), base.door, PosixStore(settings.blobs), base.signer(), ROTATED, all_settled, unmarked,
            leave_unmarked=leave_unmarked,
        )  # fmt: skip
    finally:
        await base.engine.dispose()


@app.command()
def rotate(
    wait: Annotated[float, typer.Option(min=0, help="seconds to wait for what others must do; then come again")] = 0.0,
    leave_unmarked: Annotated[
        bool, typer.Option("--leave-unmarked", help="give up what has no mark: an old file may bring these people back")
    ] = False,
    as_json: Json = False,
) -> None:
    """Give every key a new version, and take the old ones away.

    Not before a drill has shown that nobody alive needs them, and everybody forgotten has a mark.
    Begins a rotation, or goes on with the one under way; stopped at any moment, it is called again. Services go on serving.
    Exit code 3: it waits for something, and says for what."""
    with told(as_json):
        waits = asyncio.run(_rotate(wait, leave_unmarked=leave_unmarked, quiet=as_json))
    if waits:
        say(as_json, {"done": False, "waits_for": waits}, f"Waiting for {waits}. Then call this again.")
        raise typer.Exit(AWAY)
    if as_json:
        say(True, {"done": True, "waits_for": None}, "")


async def _rotate(wait: float, *, leave_unmarked: bool, quiet: bool) -> str:
    """Until it is done (empty), or something is waited for longer than `wait` seconds."""
    until = time.monotonic() + wait
    async with _rotation(leave_unmarked=leave_unmarked) as rotation:
        while (step := await rotation.step()) != Step.TELL:
            if step not in WAITS:
                _say(step, quiet)
                continue
            left = await _left(step)
            if time.monotonic() >= until:
                return _waits(step, left)
            if not quiet and left:
                what = "keys and hashes left to make anew" if step == Step.REWRAP else "forgotten identifiers without a mark"
                echo(f"{left} {what}", err=True)
            await asyncio.sleep(POLL_SECONDS)
        _say(step, quiet)
    return ""


@app.command()
def rotation(as_json: Json = False) -> None:
    """What the next `kept keys rotate` does, or waits for. Changes nothing."""
    with told(as_json):
        step, left = asyncio.run(_next())
    waits = _waits(step, left) if step in WAITS else None
    found = {"step": str(step), "waits_for": waits}
    say(as_json, found, f"Next: {step}." + (f" It waits for {waits}." if waits else ""))


async def _next() -> tuple[Step, int]:
    async with _rotation() as one:
        step = await one.look()
    return step, await _left(step)


async def _left(step: Step) -> int:
    return await COUNTED[step]() if step in COUNTED else 0


def _waits(step: Step, left: int) -> str:
    texts = {Step.DRILL: DRILL, Step.REHEARSE: REHEARSE, Step.MARK: MARK.format(left=left)}
    return texts.get(step, f"{left} keys and hashes to be made anew by their services, then {DRILL}")


def _say(step: Step, quiet: bool) -> None:
    if not quiet:
        echo(SAYS[step])
