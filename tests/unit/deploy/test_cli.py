"""`kept` as a stranger meets it: every screen of help is whole and plain, and nobody pays for what was not asked for."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup
from typer.testing import CliRunner

from deploy import cli
from deploy.cli import app
from deploy.groups import GROUPS, command
from deploy.local.catalog import SERVICES

WHOLE = 'import sys; sys.argv[0] = "kept"\nfrom deploy.cli import main\ntry: main()\nfinally: print(*sorted(sys.modules))'


def _walk(command: object, words: list[str]) -> Iterator[list[str]]:
    yield words
    if isinstance(command, TyperGroup):
        for name, one in command.commands.items():
            yield from _walk(one, [*words, name])


def screens() -> list[list[str]]:
    """The words of every command there is."""
    root = typer.main.get_command(app)
    found = [words for words in _walk(root, []) if not words or words[0] not in GROUPS]
    for name, place in GROUPS.items():
        found += _walk(typer.main.get_group(place.load()), [name])
    return found


@pytest.mark.parametrize("name", GROUPS)
def test_the_overview_says_of_a_group_what_it_says_of_itself(name: str) -> None:
    place = GROUPS[name]
    assert typer.main.get_group(place.load()).help == place.help


def test_every_service_has_its_group() -> None:
    assert set(SERVICES) <= GROUPS.keys()


def test_every_screen_of_help_is_plain_and_whole_and_tells_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    for words in screens():
        assert command(app).main([*words, "--help"], prog_name="kept", standalone_mode=False) == 0, words
        shown = capsys.readouterr().out
        assert "Exit codes: 0 " in shown, words
        for line in shown.splitlines():
            assert line == line.rstrip() and len(line) <= 80, (words, line)
            assert not line.startswith("  ") or not line.endswith("..."), (words, line, "a first sentence too long for it")


def imported(tmp_path: Path, *words: str) -> set[str]:
    """What a call of `kept` imports, where nothing runs."""
    done = subprocess.run(
        [sys.executable, "-c", WHOLE, *words], capture_output=True, text=True, env={**os.environ, "KEPT_STATE": str(tmp_path)}
    )
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("words", [["status"], ["down"], ["--help"], ["status", "--help"]])
def test_a_command_imports_no_client_that_it_does_not_use(tmp_path: Path, words: list[str]) -> None:
    found = imported(tmp_path, *words)
    assert "deploy.cli" in found
    assert not found & {"sqlalchemy", "aiokafka", "hvac", "psycopg", "alembic", "fastapi", "httpx", "rich"}


def test_a_group_that_is_named_is_imported_alone(tmp_path: Path) -> None:
    found = imported(tmp_path, "dsar", "--help")
    assert "services.dsar.cli" in found
    assert not {name for name in found if name.startswith("services.")} - {
        name for name in found if name.partition(".")[2].startswith("dsar")
    }


def test_a_wrong_word_is_told_with_the_nearest_right_one() -> None:
    done = CliRunner().invoke(app, ["custmers"])
    assert done.exit_code == 2 and "Did you mean 'customers'?" in done.stderr


def test_a_defect_of_ours_is_one_line_without_a_value(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(state: object) -> None:
        raise ValueError("luisg@embraer.com.br")

    monkeypatch.setattr(cli, "look", broken)
    monkeypatch.setattr(sys, "argv", ["kept", "status", "--json"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = capsys.readouterr()
    assert ended.value.code == 1 and said.out == "" and "luisg" not in said.err
    assert json.loads(said.err)["error"].startswith("a defect in Kept: ValueError at test_cli.py:")
