"""What a service imports of ours is compiled before it starts."""

from importlib.util import cache_from_source
from pathlib import Path

import pytest

from deploy.local import bytecode


def test_every_module_is_compiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bytecode, "REPOSITORY", tmp_path)
    for source in bytecode.SOURCES:
        (tmp_path / source / "room").mkdir(parents=True)
        (tmp_path / source / "room" / "model.py").write_text("A = 1\n")
    (tmp_path / "services" / "broken.py").write_text("not python\n")
    bytecode.write()
    made = [Path(cache_from_source(str(tmp_path / source / "room" / "model.py"))) for source in bytecode.SOURCES]
    before = [one.stat().st_mtime_ns for one in made]
    bytecode.write()
    assert [one.stat().st_mtime_ns for one in made] == before
