"""Whatever a log asks, in whatever order: a witness never signs two roots for one size, nor what does not follow."""

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from services.audit.witness.app import Witness
from services.audit.witness.key import opened
from services.audit.witness.trust import Trusted
from shared.clock import FixedClock
from shared.errors import KeptError
from shared.notes.note import vkey
from tests.unit.services.audit.log.naive import mth
from tests.unit.services.audit.witness.conftest import NAME, NOW, ORIGIN, SIGNER, SPLIT, added, leaves, request

SIZES = st.integers(0, 12)
HISTORIES = st.integers(0, 2)


class AnyLog(RuleBasedStateMachine):
    """A log that may lie: histories that part at SPLIT, true and false proofs, any old size; and restarts of the witness."""

    def __init__(self) -> None:
        super().__init__()
        self._dir = tempfile.TemporaryDirectory()
        self._root = Path(self._dir.name)
        (self._root / "keys").write_text(vkey(ORIGIN, SIGNER.public))
        self._signed: list[tuple[int, int]] = []  # (size, history), in order
        self._open()

    def _open(self) -> None:
        key, self._memory = opened(self._root / "state", NAME)
        self._witness = Witness(key, self._memory, Trusted(self._root / "keys", []), FixedClock(NOW))

    @rule(old=SIZES, size=SIZES, history=HISTORIES, lie=st.sampled_from([None, [], [bytes(32)]]))
    def ask(self, old: int, size: int, history: int, lie: list[bytes] | None) -> None:
        self._ask(old, size, history, lie)

    @rule(more=st.integers(0, 4), history=HISTORIES)
    def ask_on(self, more: int, history: int) -> None:
        """From where the witness is, so that much is signed."""
        last = self._signed[-1][0] if self._signed else 0
        self._ask(last, last + more, history, None)

    def _ask(self, old: int, size: int, history: int, lie: list[bytes] | None) -> None:
        last = self._signed[-1] if self._signed else (0, history)
        follows = leaves(last[1], last[0]) == leaves(history, size)[: last[0]]
        try:
            added(self._witness, request(old, size, history, lie))
        except KeptError:
            assert not (old == last[0] <= size and follows and lie is None), "what follows was refused"
            return
        assert old == last[0], "signed from another size"
        self._signed.append((size, history))

    @rule()
    def restart(self) -> None:
        self._memory.close()
        self._open()

    @invariant()
    def one_history(self) -> None:
        """What was signed, in order, is beginnings of what was signed last."""
        if self._signed:
            size, history = self._signed[-1]
            final = leaves(history, size)
            sizes = [one for one, _ in self._signed]
            assert sizes == sorted(sizes)
            for earlier, its in self._signed:
                assert mth(leaves(its, earlier)) == mth(final[:earlier]), f"two histories were signed (they part at {SPLIT})"

    def teardown(self) -> None:
        self._memory.close()
        self._dir.cleanup()


AnyLog.TestCase.settings = settings(max_examples=25, stateful_step_count=25)
TestAnyLog = AnyLog.TestCase
