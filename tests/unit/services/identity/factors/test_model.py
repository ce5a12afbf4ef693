"""One-time codes against RFC 6238's own vectors, and one use each."""

from datetime import UTC, datetime, timedelta

import pyotp
import pytest

from services.identity.factors.model import STEP_SECONDS, is_replay, matching_step, step_of

SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # base32 of RFC 6238's "12345678901234567890"
CODE_AT = pyotp.TOTP(SECRET).generate_otp


@pytest.mark.parametrize(
    ("seconds", "code"),
    [(59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"), (2000000000, "279037")],
)
def test_rfc_6238_appendix_b(seconds: int, code: str) -> None:
    now = datetime.fromtimestamp(seconds, UTC)
    assert matching_step(code, now, CODE_AT) == seconds // STEP_SECONDS


def test_one_step_of_drift_and_no_more() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    code = CODE_AT(step_of(now))
    assert matching_step(code, now + timedelta(seconds=30), CODE_AT) == step_of(now)
    assert matching_step(code, now - timedelta(seconds=30), CODE_AT) == step_of(now)
    assert matching_step(code, now + timedelta(seconds=60), CODE_AT) is None


@pytest.mark.parametrize("typed", ["", "28708", "2870821", "abcdef", "２８７０８", "-28708"])
def test_what_is_no_code(typed: str) -> None:
    assert matching_step(typed, datetime.fromtimestamp(59, UTC), CODE_AT) is None


def test_spaces_are_typed_by_people() -> None:
    assert matching_step("287 082", datetime.fromtimestamp(59, UTC), CODE_AT) == 1


def test_a_step_is_used_once_and_older_ones_with_it() -> None:
    assert not is_replay(5, None) and not is_replay(5, 4)
    assert is_replay(5, 5) and is_replay(4, 5)
