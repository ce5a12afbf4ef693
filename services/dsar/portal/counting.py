"""Counters: the rule, and the rows. A counter is one instant: until when what was taken of it is given back.

Nothing is kept of who or when: a counter whose instant is over means the same as none, and is forgotten.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from services.dsar.portal.tables import Counter
from shared.work import Work

AT_ONCE_MAX = 1000  # forgotten in one transaction


@dataclass(frozen=True)
class Rule:
    """`most` at once; each is given back after its part of `within`, one after the other."""

    most: int
    within: timedelta

    @property
    def each(self) -> timedelta:
        return self.within / self.most

    def twice(self) -> "Rule":
        """Twice as many at once, given back no faster."""
        return Rule(2 * self.most, 2 * self.within)


def wait(spent_until: datetime, now: datetime, rule: Rule) -> int:
    """Seconds until there is room for one more; 0: there is."""
    over = max(spent_until, now) + rule.each - (now + rule.within)
    return max(0, -(-over // timedelta(seconds=1)))


@dataclass(frozen=True)
class Taken:
    """`wait` seconds where there was no room. `first`: of this counter nothing was taken lately."""

    wait: int
    first: bool


async def take(w: Work, key: bytes, rule: Rule) -> Taken:
    """One of `rule`. Whoever takes of the same counter waits for the end of this transaction."""
    mine = insert(Counter).values(key=key, spent_until=w.now)
    mine = mine.on_conflict_do_update(
        index_elements=[Counter.key], set_={"spent_until": func.greatest(Counter.spent_until, w.now)}
    )
    spent_until = (await w.session.execute(mine.returning(Counter.spent_until))).scalar_one()
    seconds = wait(spent_until, w.now, rule)
    if not seconds:
        await _move(w, key, rule.each)
    return Taken(seconds, first=spent_until <= w.now)


async def give_back(w: Work, key: bytes, rule: Rule) -> None:
    """One that was taken and should not count."""
    await _move(w, key, -rule.each)


async def room(w: Work, key: bytes, rule: Rule) -> bool:
    """Whether one more could be taken now."""
    spent_until = await w.session.scalar(select(Counter.spent_until).where(Counter.key == key))
    return spent_until is None or not wait(spent_until, w.now, rule)


async def _move(w: Work, key: bytes, by: timedelta) -> None:
    query = update(Counter).where(Counter.key == key).values(spent_until=Counter.spent_until + by)
    await w.session.execute(query.execution_options(synchronize_session=False))


async def forget_counters(w: Work) -> None:
    """Those that mean nothing any more. What somebody is taking of stays: two who wait for one another would both fail."""
    over = select(Counter.key).where(Counter.spent_until <= w.now).limit(AT_ONCE_MAX).with_for_update(skip_locked=True)
    await w.session.execute(delete(Counter).where(Counter.key.in_(over)).execution_options(synchronize_session=False))
