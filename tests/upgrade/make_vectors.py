"""Makes vectors.tar.xz of the installation beside it, whose Vault and PostgreSQL are started once, as only they have the keys:

    .venv/bin/python -m tests.upgrade.make_vectors

Run it when a version was released and its installation was made (make.sh).
"""

import base64
import io
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path

from deploy.local.state import State
from shared.notes.note import vkey
from tests.support.insider import Insider
from tests.upgrade.installation import notes
from tests.upgrade.side import servers
from tests.upgrade.vectors import KEPT, Keys

DATA_KEYS = ("customers", "audit")  # what these wrapped opens what stands in the log
HOLDERS = ("identity", "customers", "audit", "dsar", "backup", "billing")
WIDTH = 256
BATCH = 200
_PARTIAL = re.compile(r"tile/(entries|[0-9]+)/.*\.p/([0-9]+)")


def main() -> None:
    with servers() as state:
        files = dict(_files(state))
    with tarfile.open(KEPT, "w:xz", preset=9) as archive:
        for name, content in sorted(files.items()):
            member = tarfile.TarInfo(name)  # of nobody, and of no time: the same vectors have the same bytes
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def _files(state: State) -> Iterator[tuple[str, bytes]]:
    log, store = state.root / "blobs/audit/log", state.root / "blobs/backup/store"
    for path in sorted(one for one in log.rglob("*") if one.is_file()):
        if _stands(log, path):
            yield f"log/{path.relative_to(log)}", path.read_bytes()
    for path in sorted(one for one in store.rglob("*") if one.is_file() and one.parent.name != "parts"):
        yield f"store/{path.relative_to(store)}", path.read_bytes()
    (certificate,) = (state.root / "certificates").iterdir()
    yield "certificate", certificate.read_bytes()
    yield "keys.json", _keys(state, log, store).written().encode()


def _stands(log: Path, path: Path) -> bool:
    """Whether the file is of the newest tree, and not of a smaller one before it."""
    partial = _PARTIAL.fullmatch("/".join(path.relative_to(log).parts[2:]))
    if partial is None:
        return True
    size = int((log.joinpath(*path.relative_to(log).parts[:2]) / "checkpoint").read_text().split("\n")[1])
    level = 0 if partial[1] == "entries" else int(partial[1])
    return int(partial[2]) == size // WIDTH**level % WIDTH


def _keys(state: State, log: Path, store: Path) -> Keys:
    (manifest,) = store.glob("sets/*/manifest")
    wrapped = re.search(r"^key (\S+)$", manifest.read_text(), re.MULTILINE)
    assert wrapped is not None
    identity = _unwrapped(Insider(state, "backup"), [wrapped[1]])[0].decode()
    data = {}
    for service in DATA_KEYS:
        insider = Insider(state, service)
        with insider.connect(service) as connection:
            rows = connection.execute("SELECT subject, version, wrapped FROM keyring ORDER BY subject").fetchall()
        secrets = _unwrapped(insider, [str(one[2]) for one in rows])
        data[service] = {
            str(subject): (int(str(version)), base64.b64encode(secret).decode())
            for (subject, version, _), secret in zip(rows, secrets, strict=True)
        }
    return Keys((log / "keys").read_text().split(), _holders(state), notes()["set"]["id"], identity, data)


def _holders(state: State) -> list[str]:
    """The public keys of who signs notes, each by the name it signs with."""
    place = (state.root / "log-name").read_text().strip().partition("/")[0]
    return [one for holder in HOLDERS for one in _public(Insider(state, holder), holder, place)]


def _public(insider: Insider, holder: str, place: str) -> list[str]:
    keys = insider.vault.read(f"transit/keys/kept-{holder}-notes")["data"]["keys"]
    return [vkey(f"{place}/{holder}", base64.b64decode(one["public_key"])) for one in keys.values()]


def _unwrapped(insider: Insider, wrapped: list[str]) -> list[bytes]:
    found: list[bytes] = []
    for start in range(0, len(wrapped), BATCH):
        batch = [{"ciphertext": one} for one in wrapped[start : start + BATCH]]
        said = insider.vault.write_data(f"transit/decrypt/kept-{insider.service}", data={"batch_input": batch})
        found += [base64.b64decode(one["plaintext"]) for one in said["data"]["batch_results"]]
    return found


if __name__ == "__main__":
    main()
