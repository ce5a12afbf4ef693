"""The directory of a witness: made once, kept, and refused where going on could sign another history."""

import json
import threading
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.audit.cli import app
from services.audit.witness.app import Witness
from services.audit.witness.key import KEY, KINDS, MEMORY, opened
from services.audit.witness.trust import Trusted
from shared.clock import FixedClock
from shared.errors import ConflictError, KeptError, MalformedError, NotFoundError, TamperError
from shared.notes.cosignature import parse_witness
from shared.notes.note import LocalSigner, vkey
from tests.unit.services.audit.witness.conftest import LOG_NAME, NAME, NOW, ORIGIN, SIGNER, added, checkpoint, request


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_made_once_and_readable_by_its_owner_alone(tmp_path: Path, kind: bytes) -> None:
    key, memory = opened(tmp_path / "state", NAME, kind)
    memory.close()
    assert (tmp_path / "state" / KEY).stat().st_mode & 0o777 == 0o600
    assert {path.name for path in (tmp_path / "state").iterdir()} == {KEY, MEMORY}
    again, memory = opened(tmp_path / "state")
    memory.close()
    assert (again.vkey, again.name, parse_witness(key.vkey).kind) == (key.vkey, NAME, kind)
    assert key.seed.hex() not in repr(key)
    with pytest.raises(ConflictError):
        opened(tmp_path / "state", "witness.test/other")


def test_a_key_without_its_memory_never_signs_again(tmp_path: Path) -> None:
    opened(tmp_path / "state", NAME)[1].close()
    (tmp_path / "state" / MEMORY).unlink()
    with pytest.raises(TamperError, match="must not sign again"):
        opened(tmp_path / "state", NAME)


def test_a_key_that_others_can_read_or_that_is_damaged(tmp_path: Path) -> None:
    opened(tmp_path / "state", NAME)[1].close()
    file = tmp_path / "state" / KEY
    text = file.read_text()
    for bad in ("", "x", text[:-6], text.replace("witness.test", "other.test")):
        file.write_text(bad)
        with pytest.raises(MalformedError):
            opened(tmp_path / "state")
    file.write_text(text)
    file.chmod(0o644)
    with pytest.raises(TamperError, match="read by others"):
        opened(tmp_path / "state")


@pytest.mark.parametrize("name", ["", "two words", "a+b"])
def test_a_new_witness_needs_a_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(MalformedError):
        opened(tmp_path / "state", name)
    assert not (tmp_path / "state" / KEY).exists()


def test_two_at_once_cannot_both_win(tmp_path: Path, keys: Path) -> None:
    """Two processes on one directory (two connections), each asked from size 0 with another history at the same moment."""
    opened(tmp_path / "state", NAME)[1].close()
    pair = [opened(tmp_path / "state") for _ in range(2)]
    for n in range(20):
        origin = f"{LOG_NAME}/topic/{n}"
        start, said = threading.Barrier(2), list[int]()

        def ask(history: int, origin: str = origin, start: threading.Barrier = start, said: list[int] = said) -> None:
            key, memory = pair[history]
            witness = Witness(key, memory, Trusted(keys, [LOG_NAME]), FixedClock(NOW))
            body = request(0, 9, note=checkpoint(9, history, origin))
            start.wait()
            try:
                added(witness, body)
                said.append(200)
            except KeptError as error:
                said.append(error.status)

        threads = [threading.Thread(target=ask, args=(history,)) for history in (0, 1)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert sorted(said) == [200, 409]
    for _, memory in pair:
        memory.close()


def test_the_file_of_keys_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(vkey(ORIGIN, SIGNER.public))
    trusted = Trusted(file, [LOG_NAME])
    assert trusted.vkeys(ORIGIN) == [vkey(ORIGIN, SIGNER.public)]
    rotated = LocalSigner(f"{LOG_NAME}/a/0", b"\2" * 32)
    file.write_text(f"{vkey(ORIGIN, SIGNER.public)}\n{vkey(rotated.name, rotated.public)}\n")
    assert trusted.vkeys(ORIGIN) == [vkey(ORIGIN, SIGNER.public), vkey(ORIGIN, rotated.public)]
    file.write_text("half an edi")
    assert len(trusted.vkeys(ORIGIN)) == 2


def test_keys_that_name_no_log(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    with pytest.raises(NotFoundError):
        Trusted(file, [])
    for text, logs in (("", []), ("x\n", []), (vkey(ORIGIN, SIGNER.public), ["other.test/log"]), ("", [LOG_NAME])):
        file.write_text(text)
        with pytest.raises(MalformedError):
            Trusted(file, logs)


def test_the_command_says_why_it_does_not_start(tmp_path: Path) -> None:
    words = ["witness", str(tmp_path / "state"), "--keys", str(tmp_path / "none"), "--json"]
    done = CliRunner().invoke(app, words)
    assert (done.exit_code, json.loads(done.stderr)["code"]) == (2, "not-found")
