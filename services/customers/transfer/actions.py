"""Import: one file, one transaction, so nothing of it is ever there by half. Export: two others agreed before."""

import csv
import io
from dataclasses import dataclass

from pyrage import encrypt, x25519
from sqlalchemy import delete, select

from services.customers.events import CustomerCreated, ImportCompleted, RecordsExported, RecordsViewed, ciphertext
from services.customers.records.actions import FIELDS, blind_indexes, note_unusable, opened, readable
from services.customers.records.model import found_by
from services.customers.records.tables import Customer, CustomerLocator, ForgottenNumber, StaffLocator, column
from services.customers.transfer.model import ROWS_MAX, File, Line
from services.customers.wiring import Tools
from shared.access.decide import Resource
from shared.access.grants import Grant
from shared.errors import InvalidInputError, TooLargeError
from shared.keys.cipher import Sealed
from shared.values.identifiers import Kind, external
from shared.work import Work

SUBJECTS_PER_LOOK = 1_000  # one event lists at most so many: 40 kB, far under what the bus takes
EXPORT = "customers"  # the resource that an approval of an export names


@dataclass(frozen=True)
class Imported:
    """What an import did."""

    import_id: str
    rows: int
    created: int
    already_there: int
    forgotten: int
    returned: int
    refused_columns: list[str]


async def import_customers(w: Work, tools: Tools, file: File, *, returning: bool = False) -> Imported:
    """Make the customers of `file` who are not there yet (told by the locator of their number), and tell of each.

    Run again, whole or after a crash, it changes nothing: a customer who is there stays as it is. Who was forgotten stays
    forgotten, unless they are `returning`: whoever says so answers for the new contract or consent."""
    owners = await _owners(tools, file)
    known = await w.session.scalars(select(StaffLocator.user_id).where(StaffLocator.locator.in_(owners.values())))
    w.decide("import", Resource("Customers", "all", {"owners": sorted(set(known.all()))}))
    numbers = await tools.locate([("external", external("customer", line.number)) for line in file.lines])
    there = set((await w.session.scalars(select(CustomerLocator.locator).where(CustomerLocator.locator.in_(numbers)))).all())
    gone = set((await w.session.scalars(select(ForgottenNumber.locator).where(ForgottenNumber.locator.in_(numbers)))).all())
    if returning:
        await w.session.execute(delete(ForgottenNumber).where(ForgottenNumber.locator.in_(gone)))
    left_out = there if returning else there | gone
    new = [(line, number) for line, number in zip(file.lines, numbers, strict=True) if number not in left_out]
    ids = [w.new_id("sub") for _ in new]
    await w.keyring.create(w.session, ids)
    await w.keyring.prefetch(w.session, ids)
    for subject, (line, number), more in zip(ids, new, await _personal(tools, [line for line, _ in new]), strict=True):
        await _create(w, tools, subject, line, owners[line.owner], [("external", number), *more])
    forgotten, returned = (0, len(gone)) if returning else (len(gone), 0)
    done = Imported(
        w.new_id("imp"), len(file.lines), len(new), len(there), forgotten, returned, list(file.refused_columns),
    )  # fmt: skip
    w.publish(ImportCompleted(**{**vars(done), "refused_columns": [one[:60] for one in done.refused_columns]}))
    return done


async def _owners(tools: Tools, file: File) -> dict[str, str]:
    """Number of each representative in the file -> the locator by which identity tells of them."""
    staff = sorted({line.owner for line in file.lines})
    made = await tools.locate([("external", external("employee", one)) for one in staff]) if staff else []
    return dict(zip(staff, made, strict=True))


async def _personal(tools: Tools, lines: list[Line]) -> list[list[tuple[Kind, str]]]:
    """(kind, locator) of e-mail and phone of every line, asked for in one go."""
    wanted = [(position, one) for position, line in enumerate(lines) for one in found_by(line.values)]
    made = await tools.locate([one for _, one in wanted]) if wanted else []
    found: list[list[tuple[Kind, str]]] = [[] for _ in lines]
    for (position, (kind, _)), locator in zip(wanted, made, strict=True):
        found[position].append((kind, locator))
    return found


async def _create(w: Work, tools: Tools, subject: str, line: Line, owner: str, locators: list[tuple[Kind, str]]) -> None:
    sealed: dict[str, Sealed] = {}
    for name, value in line.values.items():
        if value is not None:
            sealed[name] = await w.seal(column(name), subject, value)
    email, phone = await blind_indexes(tools, found_by(line.values))
    w.session.add(
        Customer(
            id=subject, version=1, owner_locator=owner, created_at=w.now, updated_at=w.now,
            email_index=email, phone_index=phone, **sealed,
        )
    )  # fmt: skip
    await w.session.flush()
    await note_unusable(w, subject, line.values, tools.policy, fresh=True)
    w.session.add_all(CustomerLocator(locator=one, customer_id=subject, kind=kind) for kind, one in locators)
    w.publish(
        CustomerCreated(
            subject=subject,
            key_version=1,
            fields={name: ciphertext(one) for name, one in sealed.items()},
            locators=[one for _, one in locators],
        )
    )


async def export_customers(w: Work, tools: Tools, grant: Grant, recipient: str) -> bytes:
    """All records that the actor may see, in clear, as CSV in an age file that only `recipient` opens.

    1. The grant is spent. 2. The look and the export are told. 3. Both commit before a byte leaves (the caller waits)."""
    w.decide("export", Resource("Customers", "all"))
    try:
        key = x25519.Recipient.from_str(recipient)
    except Exception:  # pyrage's error type is not exported; whatever it is, the text is no key
        raise InvalidInputError("not an age recipient (age1...)", field="recipient") from None
    await w.spend(grant)
    rows = [(row[0], row[1]) for row in (await w.session.execute(readable(w.actor).order_by(Customer.id))).all()]
    if len(rows) > ROWS_MAX:
        raise TooLargeError(f"over its limit of {ROWS_MAX} rows")
    await w.keyring.prefetch(w.session, [customer.id for customer, _ in rows])
    out = io.StringIO(newline="")
    table = csv.writer(out)
    table.writerow(["Subject", *(tools.policy.fields[name].column for name in FIELDS)])
    for customer, _ in rows:
        values = await opened(w, customer)
        table.writerow([customer.id, *(_inert(values[name] or "") for name in FIELDS)])
    subjects = [customer.id for customer, _ in rows]
    for start in range(0, len(subjects), SUBJECTS_PER_LOOK):
        part = subjects[start : start + SUBJECTS_PER_LOOK]
        w.publish(
            RecordsViewed(subjects=part, fields=dict.fromkeys(FIELDS, "clear"), purpose="export", decision=list(w.policy_ids))
        )
    w.publish(
        RecordsExported(
            export_id=w.new_id("exp"), rows=len(rows), approval_id=grant.approval_id, approvers=sorted(grant.approvers),
        )
    )  # fmt: skip
    sealed: bytes = encrypt(out.getvalue().encode(), [key])
    return sealed


def _inert(cell: str) -> str:
    """A cell that a spreadsheet would run as a formula gets an apostrophe; a number that starts with + stays one."""
    risky = cell[:1] in ("=", "@", "\t", "\r") or (cell[:1] in ("+", "-") and any(c.isalpha() for c in cell))
    return f"'{cell}" if risky else cell
