"""Each lock has a number of its own: who holds one for as long as it lives keeps nobody waiting who wants another."""

from pathlib import Path

from shared.locks import ORDER, REBUILD, Lock

ROOT = Path(__file__).parents[3]


def test_no_two_locks_have_the_same_number() -> None:
    shared = [name for name, lock in Lock.__members__.items() if lock.name != name]
    assert shared == ["MAILS"], "held for one transaction, like ONCE whose number it is"
    assert not {int(lock) for lock in Lock} & {ORDER, REBUILD}


def test_a_duty_of_its_own_has_a_lock_of_its_own() -> None:
    """A leader holds its lock until it dies: no number of a request's, whose hash would wait for as long."""
    led = {"RELAY", "BESIDE", "LONG_WORK", "PARTITION", "SCRUB"}
    waited_for = {lock for name, lock in Lock.__members__.items() if name not in led}
    assert not {Lock[name] for name in led} & waited_for


def test_locks_are_taken_by_their_names() -> None:
    known = {str(int(lock)) for lock in Lock}
    for source in [*(ROOT / "services").rglob("*.py"), *(ROOT / "shared").rglob("*.py")]:
        text = source.read_text().replace("_", "")
        if source.name != "locks.py":
            assert not [number for number in known if number in text], source
