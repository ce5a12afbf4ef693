"""A database connection that does not wait for ever: a server that hangs keeps TCP alive, and says nothing."""

import time
from typing import Any, TypeVar

from psycopg import AsyncConnection, OperationalError
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus

from shared.metrics import STATEMENTS

STATEMENT_SECONDS_MAX = 90.0  # longer than any statement of ours: to wait for one's turn (Work.in_turn) may take a minute
RV = TypeVar("RV")


class Bounded(AsyncConnection[Any]):
    """What the server does not answer in STATEMENT_SECONDS_MAX is an OperationalError, and ends the connection."""

    async def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:  # noqa: ASYNC109 - psycopg's
        began = time.perf_counter()
        try:
            return await super().wait(gen, interval, STATEMENT_SECONDS_MAX if timeout is None else timeout)
        except OperationalError:
            if timeout is None and self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self.pgconn.finish()  # its answer may come yet, and would be taken for that to the next statement
            raise
        finally:
            STATEMENTS.observe(time.perf_counter() - began)
