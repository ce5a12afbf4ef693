"""The groups of commands below `kept`, each imported only when it is named: all of them together take seconds to import.

What the overview says of a group stands here beside its place; a test holds it to what the group says of itself.
"""

import importlib
from dataclasses import dataclass
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command


@dataclass(frozen=True)
class Place:
    """Where a group's `typer.Typer` is, and what the overview says of it."""

    module: str
    attribute: str
    help: str

    def load(self) -> typer.Typer:
        found = getattr(importlib.import_module(self.module), self.attribute)
        assert isinstance(found, typer.Typer), f"{self.module}.{self.attribute} is no group of commands"
        return found


GROUPS = {
    "identity": Place("services.identity.cli", "app", "Staff accounts: sign in, import."),
    "customers": Place("services.customers.cli", "app", "Customer records: import and export."),
    "audit": Place("services.audit.cli", "app", "The log: verify it, prove one event, search it."),
    "backup": Place("services.backup.cli", "app", "Backups: take, list, drill, restore."),
    "dsar": Place("services.dsar.cli", "app", "Rights of people: certificates and the law's clocks."),
    "keys": Place("services.backup.rotation.cli", "app", "Keys of people, and the keys that wrap them."),
    "mail": Place("shared.commands.mail", "app", "Mails to people: what could not be sent, and why."),
    "dlq": Place("shared.commands.dlq", "app", "Dead letters: what a service could not handle."),
    "set-aside": Place("shared.commands.set_aside", "app", "Items that a service's loops could not do."),
}


class Later(TyperGroup):
    """Stands in the overview for the group of its name; entered, it gives way to the real one."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        assert self.name is not None
        outer = new()
        outer.add_typer(GROUPS[self.name].load(), name=self.name)
        return command(outer).commands[self.name].make_context(info_name, args, parent=parent, **extra)


def command(app: typer.Typer) -> TyperGroup:
    """The group made of `app`. What it says at the end of its help, the exit codes, its commands say at the end of theirs."""
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    _tell(group)
    return group


def _tell(group: TyperGroup) -> None:
    for one in group.commands.values():
        one.epilog = one.epilog or group.epilog
        if isinstance(one, TyperGroup):
            _tell(one)


def new(**settings: Any) -> typer.Typer:
    """A group of commands in plain text, on a terminal as in a pipe: no frames, no colours, nothing padded."""
    return typer.Typer(rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False, **settings)


def attach(app: typer.Typer) -> None:
    """Every group, to be imported when it is named."""
    for name, place in GROUPS.items():
        app.add_typer(typer.Typer(cls=Later, help=place.help), name=name)
