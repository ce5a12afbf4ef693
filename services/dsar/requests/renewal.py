"""Open requests whose locators were made before a rotation: made anew of the typed address, so that they lead to the person
also when the old version is trimmed."""

from collections.abc import Sequence

from services.dsar.requests.tables import DataRequest
from shared.keys.locators import Locators
from shared.values.mailbox import mailbox
from shared.work import Work


async def renew(w: Work, locators: Locators, rows: Sequence[DataRequest]) -> None:
    """What is closed has no locator any more, and needs none."""
    live = [(one, one.address) for one in rows if one.locator is not None and one.address is not None]
    addresses = [mailbox(w.open(DataRequest.address, one.id, sealed)) for one, sealed in live]
    made = await locators.of([("email", address) for address in addresses])
    for (request, _), every in zip(live, made, strict=True):
        request.locator, request.locators = every[0], list(every)
