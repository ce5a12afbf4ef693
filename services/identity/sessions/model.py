"""Signing in: the rules. After a few failures whoever failed has to wait, longer each time; a right password ends that."""

from dataclasses import dataclass
from datetime import datetime, timedelta

free_failures = 5  # typing errors are free
first_wait = timedelta(seconds=30)
longest_wait = timedelta(hours=1)  # not for ever: a stranger must not be able to lock somebody out for good
refusal_step = 0.5  # seconds: more than a refusal takes, whatever it was refused for
forget_after = timedelta(hours=24)


@dataclass(frozen=True)
class Rule:
    """How many failures are free, and how long is waited after: twice as long each time, up to `longest`."""

    free: int
    first: timedelta
    longest: timedelta


ONE_TARGET = Rule(free_failures, first_wait, longest_wait)  # one source, or one known device, at one address
ONE_SOURCE = Rule(100, first_wait, longest_wait)  # one source at all addresses: an office behind one address types as many
ALL_STRANGERS = Rule(100, timedelta(seconds=1), timedelta(minutes=1))  # at one address: slowed, never shut out


@dataclass(frozen=True)
class Tries:
    """Failures that are counted together (of known addresses and others alike)."""

    failures: int = 0
    blocked_until: datetime | None = None
    last: datetime | None = None


def wait(tries: Tries, now: datetime) -> int:
    """Seconds still to wait; 0 if none."""
    if tries.blocked_until is None or tries.blocked_until <= now:
        return 0
    return int((tries.blocked_until - now).total_seconds()) + 1


def failed(tries: Tries, now: datetime, rule: Rule = ONE_TARGET) -> Tries:
    """One more failure: by default 30 s after the fifth, then twice as long each time, at most an hour."""
    if tries.last is not None and now - tries.last > forget_after:
        tries = Tries()
    failures = tries.failures + 1
    if failures < rule.free:
        return Tries(failures, None, now)
    doubled = rule.first * 2 ** min(failures - rule.free, 12)  # 12: past the longest wait, far from overflow
    return Tries(failures, now + min(doubled, rule.longest), now)


def until_next(elapsed: float) -> float:
    """Seconds until a refusal may be told: the next whole REFUSAL_STEP after `elapsed`."""
    return (int(elapsed / refusal_step) + 1) * refusal_step - elapsed


def local_path(wanted: str | None) -> str:
    """Where to go after signing in: a path on this site, never elsewhere (`//evil`, `/\\evil`, `https:`)."""
    path = wanted or "/account"
    plain = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() and "\\" not in path
    return path if plain else "/account"
