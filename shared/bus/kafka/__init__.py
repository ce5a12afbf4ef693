"""aiokafka, and what we need of it that it does not have: the one place that knows its inside (docs/decisions/0048).

Nothing here changes anything for who imports aiokafka: it is subclasses (`Consumer`, `Producer`, `Admin`) and what is done to a
client that we made. Everybody else uses what aiokafka publishes, and a test holds that. Each answers a fault or a gap of
aiokafka 0.14:

| what | answers | where upstream |
|---|---|---|
| `Consumer`, records.py | a header name that is no UTF-8 stops a partition for ever | `record/default_records.py`, `_read_msg`: `h_key.decode("utf-8")`; no issue |
| `Consumer`, `as_they_came` | a ConsumerRecord for each of 100,000 records a second | `consumer/fetcher.py`, `PartitionRecords._consumer_record` |
| `Consumer.broken` | its fetching or coordinating task ends, and nobody who waits for a record hears of it | `consumer/fetcher.py`, `Fetcher.error_future`, which nothing reads; perhaps issue #847 |
| `Consumer.stop` | `stop()` of such a one raises before the connections are closed, or waits without an end | `consumer/fetcher.py`, `Fetcher.close` awaits the failed task |
| `Consumer.refresh` | no public way to ask for metadata again | `client.py`, `force_metadata_update` |
| fetch_by_id.py, protocol.py | reads by name in version 11: no topic ids (KIP-516), no epochs (KIP-320, KIP-595) | `protocol/fetch.py` |
| `Producer.stop` | `stop()` of a producer whose broker is away waits without an end, and sends on | issue #1101 |
| `Admin.ask` | no public way to send a request of one's own | `admin/client.py`, `_send_request` |
"""  # noqa: E501

from shared.bus.kafka.admin import Admin
from shared.bus.kafka.consumer import Consumer
from shared.bus.kafka.producer import Producer

__all__ = ["Admin", "Consumer", "Producer"]
