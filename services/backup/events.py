"""What backup publishes: the typed, versioned public contract. The record key is the set's id."""

from shared.bus.event import Event


class _OfSet(Event):
    backup_id: str

    def key(self) -> str:
        return self.backup_id


class SetTaken(_OfSet, type="kept.backup.set.taken.v1"):
    """A set is whole in the store and its manifest is signed. It counts only after a drill."""

    bytes: int
    manifest_sha256: str


class DrillPassed(_OfSet, type="kept.backup.drill.passed.v1"):
    """The set was restored elsewhere and every check passed."""

    drill_id: str
    checks: dict[str, bool]


class DrillFailed(_OfSet, type="kept.backup.drill.failed.v1"):
    """The set was not restored, or a check failed: it is no backup."""

    drill_id: str
    checks: dict[str, bool]


class RestoreFinished(_OfSet, type="kept.backup.restore.finished.v1"):
    """Two people agreed, and the set lies restored, with every known erasure replayed; `erasures`: of how many people.
    `left_out`: of a set from before the horizon, people of whom the newest drilled set gave it no key that is theirs still."""

    restore_id: str
    approval_id: str
    erasures: int
    left_out: int = 0


class HorizonMoved(Event, type="kept.backup.horizon.moved.v1"):
    """Old versions of the keys that wrap people's keys are gone: the keyring of a set from before can't be unwrapped any more,
    so who was erased before is unreadable in every backup. `keys`: the oldest version that still opens; `drill_id`: the drill
    which showed that nobody alive needs an older one."""

    keys: dict[str, int]
    drill_id: str | None

    def key(self) -> str:
        return "horizon"
