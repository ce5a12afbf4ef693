"""One accepted encoding per format, and a worked example of each that does not move."""

import base64
import contextlib
import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.backup.formats import label, layout, manifest, report
from services.backup.formats.manifest import Head, Manifest, Part
from services.backup.formats.report import Check, Report
from shared.errors import MalformedError

BACKUP = "bak_" + "0" * 31 + "1"
DRILL = "drl_" + "0" * 31 + "2"
SUBJECT = "sub_" + "0" * 31 + "3"
AT = "2026-11-24T05:00:00.000000Z"
ROOT = base64.b64encode(bytes(32)).decode()
EXAMPLE = Manifest(
    id=BACKUP, taken=AT, server="18.6", system="7711604799625740863", timeline="1", start="0/2000028", stop="0/2000120",
    recipient="age1" + "q" * 58, key="vault:v1:AAAA", parts=(Part(0, 8388608, "a" * 64), Part(1, 17, "b" * 64)),
    heads=(Head("kept.local/log/kept.audit/0", 3, ROOT), Head("kept.local/log/kept.customers/0", 70000, ROOT)),
)  # fmt: skip


def test_the_manifest_of_the_documentation_is_the_one_written() -> None:
    lines = manifest.encode(EXAMPLE).split("\n")
    assert lines[:3] == ["kept-backup-manifest/v1", f"id {BACKUP}", f"taken {AT}"]
    assert lines[10:12] == [f"part 0 8388608 {'a' * 64}", f"part 1 17 {'b' * 64}"]
    assert manifest.parse(manifest.encode(EXAMPLE)) == EXAMPLE
    assert EXAMPLE.bytes == 8388625


@given(st.data())
def test_whatever_parses_is_encoded_the_same(data: st.DataObject) -> None:
    """A character changed anywhere is refused, or means another manifest whose one encoding it is."""
    text = manifest.encode(EXAMPLE)
    at = data.draw(st.integers(0, len(text) - 1))
    changed = text[:at] + data.draw(st.sampled_from("\r\n 019aAfz+/=é")) + text[at + 1 :]
    with contextlib.suppress(MalformedError):
        assert manifest.encode(manifest.parse(changed)) == changed


@pytest.mark.parametrize(
    "broken",
    [
        dataclasses.replace(EXAMPLE, parts=()),
        dataclasses.replace(EXAMPLE, parts=(Part(1, 1, "a" * 64),)),
        dataclasses.replace(EXAMPLE, heads=EXAMPLE.heads[::-1]),
        dataclasses.replace(EXAMPLE, heads=EXAMPLE.heads[:1] * 2),
        dataclasses.replace(EXAMPLE, key="AGE-SECRET-KEY-1QQQQ"),
        dataclasses.replace(EXAMPLE, id="bak_1"),
        dataclasses.replace(EXAMPLE, server="18.6\ninjected line"),
    ],
)
def test_a_manifest_that_would_not_be_read_is_not_written(broken: Manifest) -> None:
    with pytest.raises(MalformedError):
        manifest.encode(broken)


def test_names() -> None:
    assert layout.part(BACKUP, 7) == f"sets/{BACKUP}/parts/00000007"
    assert layout.parse_erasure(layout.erasure("customers", SUBJECT)) == ("customers", SUBJECT)
    for name in (f"erasures/../{SUBJECT}", "erasures/customers/luis", f"erasures/customers/{SUBJECT}\n"):
        with pytest.raises(MalformedError):
            layout.parse_erasure(name)
    for number in (-1, layout.PARTS_MAX):
        with pytest.raises(MalformedError):
            layout.part(BACKUP, number)


def test_label() -> None:
    written = label.encode(label.Label(BACKUP, AT))
    assert label.parse(written) == label.Label(BACKUP, AT)
    with pytest.raises(MalformedError):
        label.parse(written + "\n")


def drill(*checks: Check) -> Report:
    return Report(DRILL, BACKUP, "c" * 64, AT, 1, checks)


def test_one_failed_check_fails_the_drill() -> None:
    good, bad = Check("opens/customers", True, "9 tables, 412 rows"), Check("erased/customers", False, "1 with a key")
    assert drill(good).passed and not drill(good, bad).passed
    assert not drill().passed, "a drill without checks proves nothing"
    assert report.parse(report.encode(drill(good, bad))) == drill(good, bad)


def test_a_report_cannot_claim_what_its_checks_do_not_say() -> None:
    text = report.encode(drill(Check("files", False, "pg_verifybackup ended with status 1")))
    with pytest.raises(MalformedError):
        report.parse(text.replace("outcome failed", "outcome passed"))
    with pytest.raises(MalformedError):
        report.encode(drill(Check("files", True, "ok\ncheck passed erased nobody")))
