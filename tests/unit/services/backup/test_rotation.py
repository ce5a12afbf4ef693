"""The one next step of a rotation, from what is there; and the proof without which nothing is trimmed."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.backup.formats.report import Ages, Check, Report, encode, keyrings, keys_check, parse
from services.backup.rotation.model import BLIND, HASHES, HOLDERS, Key, Step, due, kek, next_step, outlives, proves, untrimmed
from shared.errors import MalformedError
from shared.keys import locators
from shared.keys.blind import key_name

NAMES = [*(kek(one) for one in HOLDERS), *HASHES, "kept-backup", "kept-log"]
BEFORE = dict.fromkeys(NAMES, 1)


def keys(newest: int = 2, oldest: int = 1) -> list[Key]:
    return [Key(name, newest, oldest) for name in NAMES]


def report(lowest: int = 2, living: int = 3, **other: Ages) -> Report:
    found = {one: Ages(living, lowest if living else 0) for one in HOLDERS} | other
    checks = (Check("manifest", True, "signed"), *(keys_check(holder, one) for holder, one in found.items()))
    return Report("drl_" + "0" * 32, "bak_" + "0" * 32, "0" * 64, "2026-11-29T10:00:00.000000Z", 0, checks)


def step(*found: Any, oldest: bool = True, unmarked: int = 0, **more: Any) -> Step:
    return next_step(*found, **more, unmarked=unmarked, oldest_outlives=oldest)


def test_a_rotation_goes_through_its_steps() -> None:
    assert step(keys(1), None, settled=True, proof=None) == Step.BEGIN
    assert step(keys(1), BEFORE, settled=True, proof=report(1)) == Step.ROTATE
    assert step([Key(NAMES[0], 2, 1), *keys(1)[1:]], BEFORE, settled=True, proof=None) == Step.ROTATE, (
        "killed in the middle of the keys"
    )
    assert step(keys(), BEFORE, settled=False, proof=None) == Step.REWRAP
    assert step(keys(), BEFORE, settled=False, proof=report()) == Step.REWRAP, "a set may be without who is on the way"
    assert step(keys(), BEFORE, settled=True, proof=None) == Step.DRILL
    assert step(keys(), BEFORE, settled=True, proof=report()) == Step.TRIM
    assert step([Key(NAMES[0], 2, 2), *keys()[1:]], BEFORE, settled=True, proof=report()) == Step.TRIM, (
        "killed in the middle of trimming"
    )
    assert step(keys(2, 2), BEFORE, settled=True, proof=report()) == Step.TELL
    assert step(keys(2, 2), None, settled=True, proof=None) == Step.BEGIN, "the next one"


def test_nothing_is_trimmed_while_the_list_of_the_forgotten_would_lose_somebody() -> None:
    for trimming in (keys(), [Key(NAMES[0], 2, 2), *keys()[1:]]):
        for proof in (None, report()):
            assert step(trimming, BEFORE, settled=True, proof=proof, unmarked=1) == Step.MARK
    assert step(keys(), BEFORE, settled=False, proof=None, unmarked=1) == Step.REWRAP
    assert step(keys(2, 2), BEFORE, settled=True, proof=report(), unmarked=1) == Step.TELL, "then it is too late to wait"


def test_nothing_is_trimmed_before_the_oldest_set_was_restored_as_it_will_be_after_it() -> None:
    for trimming in (keys(), [Key(NAMES[0], 2, 2), *keys()[1:]]):
        assert step(trimming, BEFORE, settled=True, proof=report(), oldest=False) == Step.REHEARSE
    assert outlives(report(), keys()) and not outlives(report(1), keys()) and not outlives(report(2, audit=Ages(1, 1)), keys())
    joined_later = Report(**{**report().__dict__, "checks": report().checks[:-1]})
    assert outlives(joined_later, keys()), "who had no keyring then has none to be opened"
    assert not outlives(Report(**{**report().__dict__, "checks": (*report().checks, Check("files", False, "-"))}), keys())


def test_backups_own_key_and_what_signs_keep_their_old_versions() -> None:
    assert untrimmed(keys()) == [*(kek(one) for one in HOLDERS), *HASHES]
    assert due(keys(1), BEFORE) == NAMES and due(keys(), BEFORE) == []


def test_the_keys_of_hashes_are_called_as_those_who_hash_call_them() -> None:
    assert [locators.KEY, *map(key_name, BLIND)] == [*HASHES]


def test_what_an_installation_of_before_has_beside_a_key_goes_once_there_is_a_newer_version() -> None:
    (name,) = HASHES[1:2]
    assert untrimmed([Key(name, 1, 1, before=True)]) == [], "it is the only one"
    assert untrimmed([Key(name, 2, 1, before=True)]) == untrimmed([Key(name, 2, 2, before=True)]) == [name]
    assert untrimmed([Key(name, 2, 2)]) == []


@pytest.mark.parametrize(
    "said",
    [
        report(1),
        report(2, audit=Ages(1, 1)),
        Report(**{**report().__dict__, "checks": report().checks[:-1]}),
        Report(**{**report().__dict__, "checks": (*report().checks, Check("everyone/dsar", False, "1 lost"))}),
        Report(**{**report().__dict__, "checks": ()}),
        Report(**{**report().__dict__, "checks": (*report().checks, Check("carried/audit", True, "-"))}),
    ],
    ids=[
        "rewrapped nowhere",
        "one is behind",
        "one was not looked at",
        "the drill failed",
        "no checks",
        "with another set's keys",
    ],
)
def test_what_proves_nothing(said: Report) -> None:
    assert not proves(said, keys())


def test_what_proves() -> None:
    assert proves(report(), keys()) and proves(report(3), keys()) and proves(report(living=0), keys())


@given(st.dictionaries(st.from_regex(r"[a-z]{1,12}", fullmatch=True), st.tuples(st.integers(0, 10**17), st.integers(0, 10**8))))
def test_what_a_report_says_of_keyrings_is_read_back(found: dict[str, tuple[int, int]]) -> None:
    those = {holder: Ages(*one) for holder, one in found.items()}
    one = Report(**{**report().__dict__, "checks": tuple(keys_check(holder, one) for holder, one in those.items())})
    if those:
        assert keyrings(parse(encode(one))) == those


@pytest.mark.parametrize("says", ["", "3 living keys", "03 living keys, lowest version 2", "3 living keys, lowest version -1"])
def test_another_sentence_is_no_count(says: str) -> None:
    with pytest.raises(MalformedError):
        keyrings(Report(**{**report().__dict__, "checks": (Check("keys/audit", True, says),)}))
