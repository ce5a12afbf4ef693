"""The numbers of all of PostgreSQL's advisory locks, in one place: two that are alike would wait for one another."""

from enum import IntEnum


class Lock(IntEnum):
    """The first number of a lock; the second says of what. They never change: processes of two versions run side by side, and
    must mean the same. Who does what under which: docs/architecture.md, "Two processes of one service"."""

    KEYS = 4_717  # shared by who makes data keys, from before they are wrapped until they are committed (keys/keyring.py)
    RELAY = 4_718
    MIGRATION = 4_719
    ONCE = 4_721  # and a hash of the request's key. Mails to a mailbox share the number since their day: two hashes that are
    MAILS = 4_721  # alike only wait for one another, and not for long
    TURN = 4_722
    BESIDE = 4_723  # shared by those that stand by, so that who leads can see that there are some
    LONG_WORK = 4_724
    PARTITION = 4_725  # and the slot of the log's partitions (services/audit/log/slots.py). It was 4_721 once, where a
    # request whose hash is a slot's number waited for as long as that was held; beside such a process both write, harmlessly
    SCRUB = 4_726


ORDER = 4_720_000  # a lock of one number, as are the 511 after it: the order of events of a key (shared/bus/outbox.py)
REBUILD = 0x6B657074  # likewise: a rebuild of the search index
