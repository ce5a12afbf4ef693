"""Looking at records, from top to bottom: decide, read and tell in one statement, open what the purpose sees.

1. Who asks may look at all: Cedar, once a look. Whose rows they may see is in the statement itself, as ROWS says (rows.py); a
   property test holds the statement against that policy.
2. One statement finds the rows, each with its wrapped key, and writes the event that tells of them (shared/look.py).
3. When it has committed, and Vault is there (P5), the values are opened, and masked as the purpose says.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import ARRAY, ColumnElement, Integer, LargeBinary, Select, Text, any_, bindparam, null, select

from services.customers.addresses.actions import WAITING_ID
from services.customers.base import TABLES
from services.customers.events import RecordsViewed
from services.customers.policy.model import FieldPolicy
from services.customers.records.model import Shown, seen
from services.customers.records.rows import KEYED, KEYS, ROWS, Team, page_of, visible
from services.customers.tables import Customer, column
from services.customers.wiring import Tools
from shared.access.decide import Resource
from shared.direct import Row
from shared.errors import InvalidInputError
from shared.keys.keyring import WrappedKey
from shared.look import Look, Telling
from shared.paging import cut
from shared.values import legacy
from shared.values.mailbox import mailbox
from shared.values.phone import phone

_TEAM: Team = bindparam("team", type_=ARRAY(Text))
_SEARCHED: Mapping[str, ColumnElement[bool]] = {
    name: indexed == any_(bindparam(name, type_=ARRAY(LargeBinary)))
    for name, indexed in (("email", Customer.email_index), ("phone", Customer.phone_index))
}


@dataclass(frozen=True)
class Record:
    """A customer as the actor sees it for the purpose."""

    id: str
    version: int
    owner: str
    fields: Mapping[str, Shown]
    address_change: str | None = None  # the e-mail address proves nothing yet; told where one record is looked at


async def view_customer(look: Look, tools: Tools, customer_id: str) -> Record:
    """One record. NotFoundError for one that is not there and for one that the actor may not know of, alike."""
    look.decide("look", Resource("Customers", "all"), subject=customer_id)
    rows = await _told(look, tools.policy, "one", {"id": customer_id}, most=1)
    if not rows:
        raise look.unknown("view", Resource("Customer", customer_id))
    (found,) = await _opened(look, tools.policy, rows)
    return found


async def list_customers(look: Look, tools: Tools, *, after: str = "", limit: int) -> tuple[list[Record], str | None]:
    """One page of records, oldest first, and the cursor of the next. One look, one event, also when nobody is found."""
    look.decide("look", Resource("Customers", "all"))
    rows = await _told(look, tools.policy, "page", {"after": after, "rows": limit + 1}, most=limit)
    page, more = cut(rows, limit)
    found = await _opened(look, tools.policy, page)
    return found, found[-1].id if more else None


async def search_customers(look: Look, tools: Tools, search: Mapping[str, str], *, limit: int) -> list[Record]:
    """Who has exactly these. InvalidInputError, before anything is read, for what nobody can have."""
    look.decide("look", Resource("Customers", "all"))
    hashed = {name: await _hashes(name, value, tools) for name, value in search.items()}
    names = tuple(sorted(hashed))
    rows = await _told(look, tools.policy, names, {**hashed, "rows": limit}, most=limit, searched=names)
    return await _opened(look, tools.policy, rows)


async def _hashes(name: str, value: str, tools: Tools) -> list[bytes]:
    """In every form, and under every version of the key, that it may be stored in, once it is one that may be asked for."""
    if name == "email":
        mailbox(value)
        return [index for one in legacy.mailboxes(value) for index in await tools.blind.every("email", one)]
    if name == "phone":
        phone(value)
        return [index for one in legacy.phones(value) for index in await tools.blind.every("phone", one)]
    raise InvalidInputError("can't be searched", field=name)


async def _told(
    look: Look, policy: FieldPolicy, how: str | tuple[str, ...], values: Mapping[str, object], *, most: int,
    searched: Sequence[str] = (),
) -> Sequence[Row]:  # fmt: skip
    """Read and tell. `most`: rows that are shown."""
    purpose = policy.require_purpose(look.purpose)
    event = RecordsViewed(
        subjects=[],
        fields=policy.sight(purpose).levels,
        purpose=purpose,
        decision=[*look.policy_ids, ROWS],
        searched=list(searched),
    )
    wanted = policy.sight(purpose).opened
    return await look.told(_telling(how, wanted), {**values, "team": list(look.actor.team)}, event, most=most)


async def _opened(look: Look, policy: FieldPolicy, rows: Sequence[Row]) -> list[Record]:
    """What the statement found, in clear and masked: the columns are those of `_rows`."""
    sight = policy.sight(policy.require_purpose(look.purpose))
    columns = [(name, column(name)) for name in sight.opened]
    await look.unlock({row[0]: WrappedKey(row[3], row[4]) for row in rows})
    found = []
    for id_, version, owner, _, _, change, *sealed in rows:
        named = zip(columns, sealed, strict=True)
        values = {name: look.open(place, id_, cipher) for (name, place), cipher in named if cipher is not None}
        found.append(Record(id_, version, owner, seen(values, sight), change))
    return found


# -- the statements ------------------------------------------------------------------------------------------------


@lru_cache
def _telling(how: str | tuple[str, ...], wanted: tuple[str, ...]) -> Telling:
    """Each made once: of one record, of a page, or of whom a search names; with the columns that a purpose sees."""
    if how == "one":
        return Telling(_rows(wanted, WAITING_ID).where(Customer.id == bindparam("id")))
    if how == "page":
        page = page_of(_TEAM, bindparam("after", type_=Text), _limit())
        return Telling(_rows(wanted).where(Customer.id.in_(page)).order_by(Customer.id), also_of_nobody=True)
    query = _rows(wanted).where(*(_SEARCHED[name] for name in how))
    return Telling(query.order_by(Customer.id).limit(_limit()), also_of_nobody=True)


def _rows(wanted: Sequence[str], change: ColumnElement[str | None] | None = None) -> Select[*tuple[object, ...]]:
    about = Customer.id, Customer.version, Customer.owner_id, KEYS.version.label("key_version"), KEYS.wrapped
    waiting = (null() if change is None else change).label("address_change")
    sealed = (column(name) for name in wanted)
    return select(*about, waiting, *sealed).join(TABLES.data_keys, KEYED).where(visible(_TEAM))


def _limit() -> ColumnElement[int]:
    return bindparam("rows", type_=Integer)
