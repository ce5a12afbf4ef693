"""What every command shares: one line per error, a meaningful exit code, settings from where the platform left them."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from shared import cli
from shared.bus import cli as dlq
from shared.bus.dlq import Letter
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
