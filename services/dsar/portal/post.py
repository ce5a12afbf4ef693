"""dsar's mails, for the mail room (shared/mail): to whom each goes, and what follows when it has left."""

from services.dsar.portal.letters import letter
from services.dsar.requests import actions
from services.dsar.requests.tables import DataRequest
from services.dsar.settings import DsarSettings
from shared.errors import NotFoundError
from shared.mail.model import Letter, Mail, Outcome
from shared.work import Work

LAST_MAIL = "closed"  # after it the request's keys are destroyed, whether it left or not


class Letters:
    """A mail is about a request; its kind names its words."""

    def __init__(self, settings: DsarSettings) -> None:
        self._settings = settings

    async def write(self, w: Work, mail: Mail) -> Letter | None:
        """None where its address is destroyed already."""
        request = await w.session.get(DataRequest, mail.about)
        if request is None or request.address is None:
            return None
        subject, text = await letter(w, request, mail.kind, self._settings)
        await w.unlock(request.id)
        return Letter(w.open(DataRequest.address, request.id, request.address), subject, text)

    async def settle(self, w: Work, mail: Mail, outcome: Outcome) -> None:
        """A certificate's mail closes the request; the last mail destroys its keys. A certificate's mail that could not leave
        closes nothing: the request waits for a person to look (`kept mail`), or for its time to be over."""
        try:
            request = await actions.load(w, mail.about)
        except NotFoundError:
            return
        if mail.kind == "erased" and outcome is not Outcome.GIVEN_UP:
            await actions.close(w, request.id, "done", tell=False)
        elif mail.kind == LAST_MAIL and request.address is not None:
            await actions.destroy(w, request)
