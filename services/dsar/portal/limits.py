"""Who may ask, be sent a code, or guess a number, how often: so that no stranger uses it up for the person (docs/limits.md).

A source asks so often in an hour. A mailbox is sent so many codes in an hour on behalf of strangers, of which one source has a
part; a source that had none for this mailbox still gets one when they are used up, up to twice as many. A browser that proved
the mailbox before is a known device, and has as many codes for itself. docs/limits.md says how long each is remembered.
"""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import func, select

from services.dsar.portal.counting import Rule, give_back, room, take
from services.dsar.requests.tables import DataRequest
from services.dsar.settings import DsarSettings
from shared.errors import TooManyError
from shared.keys.blind import BlindIndex
from shared.keys.devices import known_device, new_device
from shared.work import Work

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
GUESSES = Rule(5, timedelta(days=30))  # wrong numbers at one proven address, over all its requests


class Limits:
    """The portal's counters. An address stands here as its locator; keys of counters tell nobody what they are of."""

    def __init__(self, blind: BlindIndex, settings: DsarSettings) -> None:
        self._blind = blind
        self._asks_per_minute = settings.asks_per_minute
        self._asks = Rule(settings.asks_per_source, HOUR)
        self._codes = Rule(settings.codes_per_hour, HOUR)
        self._codes_of_one = Rule(-(-settings.codes_per_hour // 2), HOUR)

    async def ask(self, w: Work, source: str, locators: Sequence[str], device: str) -> None:
        """One more request at a mailbox, by its locators, the newest first. TooManyError where this source has asked too often,
        or everybody together has and this one is neither a known device nor a source that asks for the first time."""
        asked = await take(w, await self._of("source", source), self._asks)
        if asked.wait:
            raise TooManyError("too many requests from where you are", retry_after=asked.wait)
        if await known_device(self._blind, locators, device, w.now):
            return
        recent = select(func.count()).select_from(DataRequest).where(DataRequest.received_at > w.now - MINUTE)
        if (await w.session.scalar(recent) or 0) >= self._asks_per_minute * (2 if asked.first else 1):
            raise TooManyError("too many requests just now", retry_after=60)

    async def code(self, w: Work, source: str, locators: Sequence[str], device: str) -> bool:
        """Whether one more code goes to this mailbox. It counts under the newest of its locators."""
        locator = locators[0]
        if nonce := await known_device(self._blind, locators, device, w.now):
            return not (await take(w, await self._of("device", locator, nonce), self._codes)).wait
        own = await take(w, await self._of("code", locator, source), self._codes_of_one)
        if own.wait:
            return False
        strangers = await take(w, await self._of("codes", locator), self._codes.twice() if own.first else self._codes)
        if strangers.wait:  # none was sent, so the next try is the first one still
            await give_back(w, await self._of("code", locator, source), self._codes_of_one)
        return not strangers.wait

    async def proven(self, w: Work, source: str, locator: str) -> str:
        """The mailbox's owner used a code: it was no stranger's. The token by which this browser is known from now on."""
        await give_back(w, await self._of("code", locator, source), self._codes_of_one)
        await give_back(w, await self._of("codes", locator), self._codes)
        return await new_device(self._blind, locator, w.now)

    async def guess(self, w: Work, locator: str) -> bool:
        """Whether one more number may be tried. It counts, unless it was right."""
        return not (await take(w, await self._of("guesses", locator), GUESSES)).wait

    async def right(self, w: Work, locator: str) -> None:
        """The number stands on records that share the address: it was no guess."""
        await give_back(w, await self._of("guesses", locator), GUESSES)

    async def may_guess(self, w: Work, locator: str | None) -> bool:
        """Whether there are tries left, without taking one."""
        return locator is not None and await room(w, await self._of("guesses", locator), GUESSES)

    async def _of(self, what: str, *whose: str) -> bytes:
        return await self._blind.tag("email", "", what, *whose)
