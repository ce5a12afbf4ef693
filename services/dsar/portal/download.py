"""What a request's package is made of: the answers, and what it says of itself."""

from services.dsar.packages.actions import Contents, gather, summary_of
from services.dsar.portal.coverage import coverage_of
from services.dsar.requests.tables import DataRequest
from services.dsar.saga.asking import asked, asks_of
from services.dsar.saga.model import silent_holders
from services.dsar.wiring import Tools
from shared.work import Work


async def contents_of(w: Work, request: DataRequest, tools: Tools) -> Contents:
    """ConflictError where there is no package for this request now."""
    settings = tools.settings
    silent, missing = silent_holders(asked(await asks_of(w, request.id)))
    law = tools.book.of(request.law, request.received_at).called(request.language)
    covers = (await coverage_of(w, request, request.language)).lines(request.language)
    return await gather(w, request, summary_of(request, settings.controller, settings.contact, law, missing, covers), silent)
