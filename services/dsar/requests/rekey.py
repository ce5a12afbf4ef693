"""One request's data key is renewed (shared/rekey.py): a request has a key of its own, which is destroyed when it ends.

The pair to which holders seal their answers stays: what is on its way, or here already, opens with it alone. Its private
half is sealed anew like the rest."""

from typing import Final

from services.dsar.events import RequestKeyRenewed
from services.dsar.requests.tables import Claim, Code, DataRequest
from shared import rekey
from shared.work import Work

SEALED: Final = (DataRequest.id, Code.request_id, Claim.request_id)  # whose key the sealed columns of each table are under


async def renew_key(w: Work, request_id: str) -> int:
    """The new version's number, told by an event. NotFoundError for no request, and for one whose key is destroyed."""
    version = await rekey.renew_key(w, request_id, *SEALED)
    w.publish(RequestKeyRenewed(request_id=request_id, key_version=version))
    return version
