"""One customer's data key is renewed (shared/rekey.py): the record, and what waits for a proof of a changed address."""

from typing import Final

from services.customers.addresses.tables import AddressChange
from services.customers.events import CustomerKeyRenewed
from services.customers.tables import Customer
from shared import rekey
from shared.work import Work

SEALED: Final = (Customer.id, AddressChange.customer_id)  # whose key the sealed columns of each table are under


async def renew_key(w: Work, subject: str) -> int:
    """The new version's number, told by an event. NotFoundError for nobody, and for who was erased."""
    version = await rekey.renew_key(w, subject, *SEALED)
    w.publish(CustomerKeyRenewed(subject=subject, key_version=version))
    return version
