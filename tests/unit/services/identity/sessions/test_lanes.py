"""Whoever guesses waits himself: no interleaving of strangers' tries keeps a known device out, and nobody for long."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.identity.sessions.lanes import Lanes, lanes_of
from services.identity.sessions.model import ALL_STRANGERS, ONE_SOURCE, ONE_TARGET, Tries, failed, wait
from shared.keys.devices import DEVICE_LIFE, new_device
from shared.values.mailbox import Mailbox, mailbox
from tests.support.blind import BLIND

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LAURA, NANCY = mailbox("laura@chinookcorp.com"), mailbox("nancy@chinookcorp.com")


@dataclass
class Desk:
    """The counters as `sign_in` keeps them, by a clock of its own."""

    now: datetime = NOW
    counters: dict[bytes, Tries] = field(default_factory=dict)

    async def lanes(self, address: Mailbox, source: str, device: str = "") -> Lanes:
        return await lanes_of(BLIND, address, source, device, self.now)

    def waits(self, lanes: Lanes) -> int:
        return max(wait(self.counters.get(one.key, Tries()), self.now) for one in lanes.all)

    async def guess(self, address: Mailbox, source: str, device: str = "") -> bool:
        """A wrong password. Whether it was looked at."""
        lanes = await self.lanes(address, source, device)
        if self.waits(lanes):
            return False
        for one in lanes.all:
            self.counters[one.key] = failed(self.counters.get(one.key, Tries()), self.now, one.rule)
        return True


STEPS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 5), st.booleans(), st.booleans()), max_size=250)


@given(STEPS)
async def test_whatever_strangers_guess_the_owner_gets_in(steps: list[tuple[int, int, bool, bool]]) -> None:
    """`steps`: seconds until the next guess, from which source, at whom, and with a cookie made up or of another address."""
    desk = Desk()
    known, others = await new_device(BLIND, LAURA, NOW), await new_device(BLIND, NANCY, NOW)
    for seconds, source, at_laura, cookie in steps:
        desk.now += timedelta(seconds=seconds)
        await desk.guess(LAURA if at_laura else NANCY, f"10.0.0.{source}", others if cookie and at_laura else "a.9.b")
        assert desk.waits(await desk.lanes(LAURA, "10.0.0.1", known)) == 0, "a known device, even beside the guesser"
        assert desk.waits(await desk.lanes(LAURA, "192.0.2.7")) <= ALL_STRANGERS.longest.total_seconds() + 1


async def test_guesses_every_0_4_seconds_keep_nobody_out_but_their_source() -> None:
    desk, looked_at = Desk(), 0
    for _ in range(3600 * 10 // 4):
        desk.now += timedelta(seconds=0.4)
        looked_at += await desk.guess(LAURA, "10.0.0.1")
    assert looked_at <= 13, "an hour of guesses is a dozen"
    assert desk.waits(await desk.lanes(LAURA, "10.0.0.1")) and not desk.waits(await desk.lanes(LAURA, "192.0.2.7"))


async def test_a_source_that_tries_many_addresses_waits_as_well() -> None:
    desk = Desk()
    tried = [await desk.guess(f"somebody{number}@chinookcorp.com", "10.0.0.1") for number in range(300)]
    assert sum(tried) == ONE_SOURCE.free
    assert not desk.waits(await desk.lanes("somebody1@chinookcorp.com", "192.0.2.7"))


async def test_many_sources_at_one_address_are_slowed() -> None:
    desk, looked_at = Desk(), 0
    for number in range(3600):
        desk.now += timedelta(seconds=1)
        looked_at += await desk.guess(LAURA, f"10.0.{number // 250}.{number % 250}")
    assert looked_at < ALL_STRANGERS.free + 70


async def test_a_device_is_known_for_its_address_alone_and_not_for_ever() -> None:
    desk = Desk()
    known = await new_device(BLIND, LAURA, NOW)
    nonce, until, proof = known.split(".")
    ours = await desk.lanes(LAURA, "10.0.0.1", known)
    assert ours.others == () and ours == await desk.lanes(LAURA, "10.0.0.9", known)
    later = await lanes_of(BLIND, LAURA, "10.0.0.1", known, NOW + DEVICE_LIFE)
    made_up = (
        f"{nonce}.{int(until) + 1}.{proof}",
        f"{nonce}x.{until}.{proof}",
        f"{nonce}.{until}.",
        "",
        "..",
        "a.b.c",
        "\u0660.\u0661.x",
    )
    strangers = [await desk.lanes(LAURA, "10.0.0.1", one) for one in made_up]
    assert all(len(one.others) == 2 for one in (later, await desk.lanes(NANCY, "10.0.0.1", known), *strangers))
    for _ in range(ONE_TARGET.free):
        await desk.guess(LAURA, "10.0.0.1", known)
    assert desk.waits(ours), "also a known device has no more than its own tries"
