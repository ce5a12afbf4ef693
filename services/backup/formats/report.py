"""The drill report: what a restore showed, as the text of a signed note (docs/formats/backup.md §4)."""

import re
from dataclasses import dataclass

from shared.errors import MalformedError

MAGIC = "kept-drill-report/v1"
_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
_HEADER = re.compile(
    rf"{MAGIC}\ndrill (?P<drill>drl_[0-9a-f]{{32}})\nset (?P<set>bak_[0-9a-f]{{32}})\n"
    r"manifest (?P<manifest>[0-9a-f]{64})\n"
    rf"finished (?P<finished>{_TIME})\nerasures (?P<erasures>0|[1-9][0-9]*)\noutcome (?P<outcome>passed|failed)\n"
    r"(?P<checks>(?:check [^\n]+\n)+)"
)
_CHECK = re.compile(r"check (?P<outcome>passed|failed) (?P<name>[a-z][a-z0-9-]*(?:/[a-z][a-z0-9_]*)?) (?P<says>[ -~]{1,400})")

CARRIED = "carried/"
_KEYS = "keys/"
_LIVING = re.compile(r"(?P<living>0|[1-9][0-9]{0,17}) living keys, lowest version (?P<lowest>0|[1-9][0-9]{0,8})")


@dataclass(frozen=True)
class Check:
    """One question put to the restored cluster. `says` is ASCII counts and names of tables; never a value of a row."""

    name: str
    passed: bool
    says: str


@dataclass(frozen=True)
class Report:
    drill_id: str
    backup_id: str
    manifest_sha256: str
    finished: str
    erasures: int
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """A drill without checks proves nothing."""
        return bool(self.checks) and all(check.passed for check in self.checks)


@dataclass(frozen=True)
class Ages:
    """Of a restored keyring: living keys, and the oldest version of the KEK that wraps one (0: nobody lives)."""

    living: int
    lowest: int


def keys_check(holder: str, found: Ages) -> Check:
    """The check `keys/<holder>`; it says how things are, and never fails."""
    return Check(f"{_KEYS}{holder}", True, f"{found.living} living keys, lowest version {found.lowest}")


def keyrings(report: Report) -> dict[str, Ages]:
    """holder -> its keyring, of those that the drill looked at. MalformedError where a check of keys says something else."""
    found: dict[str, Ages] = {}
    for check in report.checks:
        if check.name.startswith(_KEYS):
            said = _LIVING.fullmatch(check.says)
            if said is None:
                raise MalformedError("drill report: a check of keys is not as its format says")
            found[check.name.removeprefix(_KEYS)] = Ages(int(said["living"]), int(said["lowest"]))
    return found


def carried(report: Report) -> bool:
    """Whether a keyring that was looked at came from another set."""
    return any(check.name.startswith(CARRIED) for check in report.checks)


def encode(report: Report) -> str:
    text = (
        f"{MAGIC}\ndrill {report.drill_id}\nset {report.backup_id}\nmanifest {report.manifest_sha256}\n"
        f"finished {report.finished}\nerasures {report.erasures}\noutcome {_word(report.passed)}\n"
    ) + "".join(f"check {_word(c.passed)} {c.name} {c.says}\n" for c in report.checks)
    if parse(text) != report:
        raise MalformedError("drill report: a value would be read as something else")
    return text


def parse(text: str) -> Report:
    found = _HEADER.fullmatch(text)
    if found is None:
        raise MalformedError(f"not a {MAGIC}")
    checks = []
    for line in found["checks"][:-1].split("\n"):
        check = _CHECK.fullmatch(line)
        if check is None:
            raise MalformedError("drill report: a check line is not as its format says")
        checks.append(Check(check["name"], check["outcome"] == "passed", check["says"]))
    report = Report(found["drill"], found["set"], found["manifest"], found["finished"], int(found["erasures"]), tuple(checks))
    if _word(report.passed) != found["outcome"]:
        raise MalformedError("drill report: the outcome is not that of its checks")
    return report


def _word(passed: bool) -> str:
    return "passed" if passed else "failed"
