"""Export: everything that one may see, after two others agreed; a file that an import takes again."""

from pyrage import encrypt, x25519

from services.customers.events import RecordsExported, RecordsViewed
from services.customers.records.actions import opened
from services.customers.records.rows import readable, rows_of, unlock
from services.customers.tables import FIELDS, Customer
from services.customers.transfer.compare import SUBJECTS_PER_LOOK
from services.customers.transfer.model import NUMBER, OWNER, SUBJECT
from services.customers.wiring import Tools
from shared import cells
from shared.access.decide import Resource
from shared.access.grants import Grant
from shared.errors import InvalidInputError, TooLargeError
from shared.work import Work

ROWS_MAX = 5_000  # opened and sealed in one go, in which the process answers nobody: a second
EXPORT = "customers"  # the resource that an approval of an export names


async def export_customers(w: Work, tools: Tools, grant: Grant, recipient: str) -> bytes:
    """All records that the actor may see, in clear, as CSV in an age file that only `recipient` opens.

    1. The grant is spent. 2. The look and the export are told. 3. Both commit before a byte leaves (the caller waits)."""
    w.decide("export", Resource("Customers", "all"))
    try:
        key = x25519.Recipient.from_str(recipient)
    except Exception:  # pyrage's error type is not exported; whatever it is, the text is no key
        raise InvalidInputError("not an age recipient (age1...)", field="recipient") from None
    await w.spend(grant)
    rows = await rows_of(w, readable(w.actor).order_by(Customer.id))
    if len(rows) > ROWS_MAX:
        raise TooLargeError(f"over its limit of {ROWS_MAX} rows")
    await unlock(w, rows)
    # The first is the pseudonym, the last the user who looks after them: an import knows both.
    table = [[SUBJECT, NUMBER, *(tools.policy.fields[name].column for name in FIELDS), OWNER]]
    for row in rows:
        customer, values = row.customer, opened(w, row.customer)
        number = "" if customer.number is None else w.open(Customer.number, customer.id, customer.number)
        table.append([customer.id, number, *(values[name] or "" for name in FIELDS), row.owner])
    subjects = [one.customer.id for one in rows]
    for start in range(0, len(subjects), SUBJECTS_PER_LOOK):
        part = subjects[start : start + SUBJECTS_PER_LOOK]
        clear = dict.fromkeys((*FIELDS, "number"), "clear")
        w.publish(RecordsViewed(subjects=part, fields=clear, purpose="export", decision=list(w.policy_ids)))
    w.publish(
        RecordsExported(
            export_id=w.new_id("exp"), rows=len(rows), approval_id=grant.approval_id, approvers=sorted(grant.approvers),
        )
    )  # fmt: skip
    sealed: bytes = encrypt((cells.MARK + cells.lines(table)).encode(), [key])
    return sealed
