"""What every command shares: one line per error, a meaningful exit code, settings from where the platform left them."""

import json
import re
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from shared import cli
from shared.bus.dlq import Letter
from shared.commands import dlq
from shared.errors import ConflictError, NotFoundError, UnavailableError
from shared.installed import services, settings_of


def run(error: Exception, as_json: bool) -> tuple[int, str]:
    app = typer.Typer()

    @app.command()
    def act() -> None:
        with cli.told(as_json):
            raise error

    done = CliRunner().invoke(app, [])
    assert done.stdout == ""
    return done.exit_code, done.stderr


def test_a_refusal_is_one_line_and_exit_1() -> None:
    assert run(ConflictError("it was closed already"), False) == (1, "conflict: it was closed already\n")


def test_a_part_that_is_away_is_exit_3() -> None:
    code, text = run(UnavailableError("kafka: away"), True)
    assert code == 3 and json.loads(text) == {"error": "kafka: away", "code": "unavailable"}


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("KEPT_SERVICE", "KEPT_VAULT_ROLE_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KEPT_STATE", str(tmp_path))
    (tmp_path / "run").mkdir()
    (tmp_path / "run/demo.env").write_text("KEPT_SERVICE=demo\nKEPT_KAFKA_BOOTSTRAP=h:1\nKEPT_HTTP_PORT=8\nKEPT_ELSE=a=b\n")
    return tmp_path


def test_settings_are_those_of_the_platform(installed: Path) -> None:
    found = settings_of("demo")
    assert (found.service, found.kafka_bootstrap, found.http_port) == ("demo", "h:1", 8)
    assert services("") == ["demo"] and services("other") == ["other"]
    with pytest.raises(NotFoundError):
        settings_of("other")


def test_settings_in_the_environment_come_first(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEPT_VAULT_ROLE_ID", "r")
    monkeypatch.setenv("KEPT_KAFKA_BOOTSTRAP", "cluster:9")
    assert settings_of("demo").kafka_bootstrap == "cluster:9"


def test_a_letter_is_shown_without_its_value(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = b"luisg@embraer.com.br"
    letter = Letter("0-1", "malformed", 1, "billing.events/0/7", "e1", "t", secret, len(secret), False)

    async def letters(*_: object) -> list[Letter]:
        return [letter]

    async def broker(*_: object) -> None:
        return None

    monkeypatch.setattr(dlq.letters, "letters", letters)
    monkeypatch.setattr(dlq, "_broker", broker)
    for words in (["list"], ["list", "demo", "--json"], ["show", "demo", "0-1"], ["show", "demo", "0-1", "--json"]):
        done = CliRunner().invoke(dlq.app, words)
        assert done.exit_code == 0 and "malformed" in done.stdout and "luisg" not in done.stdout
    assert CliRunner().invoke(dlq.app, ["show", "demo", "9-9"]).exit_code == 1
    assert CliRunner().invoke(dlq.app, ["show", "demo"]).exit_code == 2


def test_a_table_in_a_pipe_is_one_line_a_row_with_nothing_at_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    cli.show(
        False,
        [{"shard": "kept.customers/0", "lost": 7, "told": True, "why": "x" * 200}, {"a": 1, "b": 2, "c": False, "d": ""}],
        empty="",
    )
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and all(line == line.rstrip() for line in lines)
    assert lines[1].split() == ["kept.customers/0", "7", "yes", "x" * 200]


# What a stranger may call a thing: escape sequences (colours, the window's title, a rubbed-out line), a bell, a C1 control that
# is an escape sequence by itself, bidi controls, a line break, a name that fills the screen.
STRANGE = {
    "esc": "\x1b[2J\x1b]0;mine\x07",
    "bell": "a\x07b\rc\x08",
    "c1": "\x9b31mred",
    "bidi": "gnp\u202egnp.exe\u2066",
    "hidden": "a\u200b\ufeff\U000e0041b",
    "lines": "one\ntwo\u2028three",
    "half": "\udc80",
    "long": "x" * 10_000,
}


def harmless(text: str) -> bool:
    return all(one.isprintable() or one == "\n" for one in text)


@pytest.mark.parametrize("what", STRANGE)
def test_nothing_that_others_named_acts_on_a_terminal(what: str, capsys: pytest.CaptureFixture[str]) -> None:
    strange = STRANGE[what]
    cli.show(False, [{"id": strange, "tries": 1}, {"id": "after", "tries": 2}], empty="")
    cli.echo(cli.listed({"id": strange, "after": 1}))
    cli.say_error(False, "conflict", strange.replace("\n", " "))
    cli.console(soft_wrap=True, markup=False).print(strange)
    captured = capsys.readouterr()
    assert harmless(captured.out) and harmless(captured.err)
    rows = captured.out.splitlines()
    assert all(len(line) <= cli.LINE_CHARS_MAX for line in rows) and len(rows[1]) <= cli.CELL_CHARS_MAX + 20
    assert rows[2].split() == ["after", "2"], "one row is one line, whatever it holds"
    assert rows[4].split() == ["after", "1"]
    table = cli.columns("id")
    table.add_row(strange)
    cli.lay_out(table)
    said = capsys.readouterr().out
    assert harmless(said) and said.count("\n") == 2 and len(said) <= cli.CELL_CHARS_MAX + 20


@pytest.mark.parametrize("what", STRANGE)
def test_for_machines_it_is_whole_and_can_still_be_looked_at(what: str, capsys: pytest.CaptureFixture[str]) -> None:
    cli.show(True, [{"id": STRANGE[what]}], empty="")
    said = capsys.readouterr().out
    assert harmless(said) and json.loads(said) == [{"id": STRANGE[what]}]


def test_what_people_write_stays_as_they_wrote_it() -> None:
    for text in ("Luís Gonçalves", "客户记录　（全部）", "a\u00a0b", "naïve … ✓"):
        assert cli.plain(text) == text and cli.machine(text) == f'"{text}"'


# What is not for a person's eyes, or is a file: one process's word to another, a receipt, the end of a typed password's line.
OTHERWISE = {
    "services/audit/ingestion/worker.py": "print(",
    "services/audit/scrub/process.py": "print(",
    "services/audit/cli.py": "typer.echo(text, nl=False)",
    "services/backup/cli.py": "nl=False",
    "shared/http/client.py": "typer.echo(err=True)",
}


def test_nobody_writes_to_the_terminal_by_another_way() -> None:
    root = Path(__file__).parents[3]
    for file in [*root.glob("services/**/*.py"), *root.glob("shared/**/*.py")]:
        name = file.relative_to(root).as_posix()
        for line in file.read_text().splitlines():
            other = re.search(r"typer\.s?echo\(|(?<![\w.])Console\(|(?<![\w.])print\(", line)
            allowed = name == "shared/cli.py" or (name in OTHERWISE and OTHERWISE[name] in line)
            assert not other or allowed, f"{name}: {line.strip()}"
