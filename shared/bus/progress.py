"""How far a consumer has come: what is done, which dead letters are still to be sent, and one commit past all of it.

1. The letters that wait are sent together and acknowledged. A crash before: their records come again, and are buried then.
2. Every partition is committed, past what is done and no further. A crash between 1 and 2 buries this batch a second time.

So a thousand malformed records cost a few round trips, not a thousand, and the records behind them need not wait.
"""

import asyncio
import logging
from collections import Counter

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from shared.bus import dlq
from shared.bus.envelope import Record
from shared.errors import UnavailableError
from shared.timeouts import within

LETTERS_MAX = 500  # that wait in memory; with more, nothing is taken before they are sent
BYTES_MAX = 4 * 1024 * 1024  # of all that they are; a record has one megabyte at the most
SEND_SECONDS_MAX = 30.0  # twice what the producer waits for one answer
COMMIT_SECONDS_MAX = 15.0

log = logging.getLogger(__name__)


class Progress:
    """Of one connection. What one that was left behind finishes late is not committed by the next one."""

    def __init__(self) -> None:
        self._done: dict[TopicPartition, int] = {}
        self._letters: dict[int, Record] = {}  # by the order in which they were buried
        self._bytes = self._buried = 0
        self._one_at_a_time = asyncio.Lock()
        self.refused = False  # the broker does not take the letters

    def note(self, record: ConsumerRecord, letter: Record | None) -> None:
        """`record` is done: handled, or (with `letter`) given up."""
        if letter is not None:
            self._letters[self._buried] = letter
            self._buried += 1
            self._bytes += _size(letter)
        self._done[TopicPartition(record.topic, record.partition)] = record.offset + 1

    @property
    def full(self) -> bool:
        """Whether letters must be sent before anything else is taken."""
        return len(self._letters) >= LETTERS_MAX or self._bytes >= BYTES_MAX

    async def settle(self, producer: AIOKafkaProducer, consumer: AIOKafkaConsumer | None) -> bool:
        """Send what waits, then commit; whether the broker answered in time. What it did not take waits on."""
        async with self._one_at_a_time:  # else one could commit past a letter that the other has not sent yet
            letters, done = dict(self._letters), dict(self._done)
            try:
                await within(SEND_SECONDS_MAX, self._send(producer, letters))
                if consumer is None:
                    return True
                await within(COMMIT_SECONDS_MAX, _commit(consumer, done))
            except (KafkaError, OSError, UnavailableError) as why:
                log.warning("commit failed: %s", type(why).__name__)
                return not isinstance(why, TimeoutError)
            for part, offset in done.items():
                if self._done.get(part) == offset:
                    del self._done[part]
            return True

    async def _send(self, producer: AIOKafkaProducer, letters: dict[int, Record]) -> None:
        async def one(number: int, letter: Record) -> None:
            await dlq.send(producer, letter)
            del self._letters[number]
            self._bytes -= _size(letter)

        _tell(letters)
        sent = await asyncio.gather(*(one(*letter) for letter in letters.items()), return_exceptions=True)
        failed = [why for why in sent if why is not None]
        self.refused = bool(failed)
        if failed:
            raise failed[0]


async def _commit(consumer: AIOKafkaConsumer, done: dict[TopicPartition, int]) -> None:
    """With offsets: a commit without them would cover whatever was fetched."""
    # A partition that went to another process is that process's to commit.
    offsets = {part: offset for part, offset in done.items() if part in consumer.assignment()}
    if offsets:
        await consumer.commit(offsets)


def _size(letter: Record) -> int:
    """In memory, more or less: a stranger chooses the headers too."""
    headers = sum(len(name) + len(value or b"") for name, value in letter.headers)
    return len(letter.key or b"") + headers + len(letter.value or b"")


def _tell(letters: dict[int, Record]) -> None:
    """One line for each topic and reason, however many they are."""
    about = [dict(one.headers) for one in letters.values()]
    for (topic, why), count in Counter((one[dlq.TOPIC], one[dlq.REASON]) for one in about).items():
        log.error("%d of %s go to the dead letters: %s", count, topic.decode(errors="replace"), why.decode())
