"""Open requests whose locators were made before a rotation: made anew of the typed address, so that they lead to the person
also when the old version is trimmed."""

import logging
from collections.abc import Sequence

from services.dsar.requests.tables import DataRequest
from shared.keys.locators import Locators
from shared.values.identifiers import Identifier
from shared.values.legacy import mailboxes
from shared.work import Work

log = logging.getLogger(__name__)


async def renew(w: Work, locators: Locators, rows: Sequence[DataRequest]) -> None:
    """What is closed has no locator any more, and needs none. An address that today's grammar refuses goes on in its old form;
    one that has none keeps the locators that it has."""
    live, known = list[DataRequest](), list[Identifier]()
    for request in rows:
        if request.locator is None or request.address is None:
            continue
        forms = mailboxes(w.open(DataRequest.address, request.id, request.address))
        if forms:
            live.append(request)
            known.append(("email", forms[0]))
        else:
            log.warning("the e-mail address of %s can't be used: after the trim it leads to nobody", request.id)
    for request, every in zip(live, await locators.of(known), strict=True):
        request.locator, request.locators = every[0], list(every)
