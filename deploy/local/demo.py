"""The story that must always work (DESIGN section 9), told by doing it: eight steps over the real HTTP, bus, log and backups.

Each step prints what happened in plain words and fails with one line when a promise does not show. Told again on the same
state it goes on from there: Luís, who was forgotten, stays so, and the same file does not bring him back.
"""

import json
import time
from collections.abc import Callable
from typing import Any

import httpx
from rich.console import Console

from deploy.local import story_people, story_rights
from deploy.local.errors import Exit
from deploy.local.stage import Stage, Story, StoryError
from deploy.local.state import State

STEPS: tuple[tuple[str, Callable[[Story], None]], ...] = (
    ("Eight employees become users", story_people.staff),
    ("Fifty-nine customers come in", story_people.customers),
    ("Who sees whom", story_people.sight),
    ("Another team's service joins", story_people.billing),
    ("Luís asks what is held about him", story_rights.access),
    ("Luís asks to be forgotten", story_rights.erasure),
    ("A backup from before, restored", story_rights.drill),
    ("The log is checked", story_rights.verify),
)


def tell(state: State, as_json: bool) -> int:
    """Exit code."""
    story = Story(Stage(state), Console(highlight=False, quiet=as_json))
    began = time.monotonic()
    done: list[dict[str, Any]] = []
    for number, (title, step) in enumerate(STEPS, 1):
        story.console.print(f"\n[bold]{number}. {title}[/]")
        started = time.monotonic()
        try:
            step(story)
        except (StoryError, httpx.HTTPError, KeyError, ValueError, OSError) as error:
            said = str(error) if isinstance(error, StoryError) else f"{type(error).__name__}: {error}"
            story.console.print(f"   [red]✗ {said}[/]")
            if as_json:
                print(json.dumps({"passed": False, "step": number, "error": said, "steps": done}))
            return int(Exit.FAILED)
        done.append({"step": number, "title": title, "seconds": round(time.monotonic() - started, 1)})
    if as_json:
        print(json.dumps({"passed": True, "steps": done, "facts": story.facts, "origin": story.stage.origin}))
    _where_to_look(story, time.monotonic() - began)
    return int(Exit.OK)


def _where_to_look(story: Story, seconds: float) -> None:
    origin = story.stage.origin
    story.console.print(f"\n[bold green]All eight steps happened[/] in {seconds:.0f} s. Kept is running:\n")
    for path, what in (
        ("/", "the portal, for anyone whose data it is"),
        ("/mail", "the e-mails that were sent"),
        ("/customers", "customers (sign in as jane, margaret or nancy)"),
        ("/approvals", "what waits for two people (nancy, andrew)"),
        ("/audit", "who looked at whom"),
        ("/backups", "backups and drills (michael)"),
        ("/log/shards", "the log, for any C2SP client"),
    ):
        story.console.print(f"  {origin}{path:<12} {what}", soft_wrap=True)
    story.console.print(
        "\nSign in at /signin with what [bold]kept demo code jane[/] prints; stop everything with [bold]kept down[/].",
        soft_wrap=True,
    )
