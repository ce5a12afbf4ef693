"""One person's data key is renewed, where somebody may know it who should not: what a service stores of the person is sealed
anew under the next version. The same for every service that stores values sealed under a person's own key.

1. The person's rows, locked, the first table's first: whoever changes them finishes before, or finds the new key. 2. The next
version of the key. 3. What is stored is opened with the old one and sealed with the new. The caller's transaction, which tells
of it: whoever reads a row reads a key that fits.

The version before stays in the keyring, for what is sealed under it elsewhere (events in the log, which nobody seals anew); an
erasure destroys all.
"""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import InstrumentedAttribute

from shared.errors import NotFoundError, ShreddedError
from shared.keys.column import SealedText
from shared.work import Work


async def renew_key(w: Work, subject: str, of: InstrumentedAttribute[str], *others: InstrumentedAttribute[str]) -> int:
    """The new version's number. `of`: the column by which the table whose row is the person names them; `others`: that by which
    each further table with sealed columns does. NotFoundError for nobody, and for who was erased."""
    rows: list[Any] = []
    for column in (of, *others):
        mine = select(column.class_).where(column == subject).order_by(*column.class_.__table__.primary_key)
        rows += (await w.session.scalars(mine.with_for_update().execution_options(populate_existing=True))).all()  # 1
        if not rows:
            raise NotFoundError
    try:
        version = await w.renew_key(subject)  # 2
    except ShreddedError:
        raise NotFoundError from None
    for row in rows:
        _seal_anew(w, subject, row)  # 3
    return version


def _seal_anew(w: Work, subject: str, row: Any) -> None:
    """Every encrypted column of the row, whichever there are."""
    for column in type(row).__table__.columns:
        sealed = getattr(row, column.key) if isinstance(column.type, SealedText) else None
        if sealed is not None:
            place = getattr(type(row), column.key)
            setattr(row, column.key, w.seal(place, subject, w.open(place, subject, sealed)))
