"""An answer that is none: an alarm for people, and the request goes on waiting."""

from services.dsar.events import AnswerRefused, Reason, Verb
from shared.ids import is_id
from shared.work import Work


def refuse(w: Work, request_id: str, holder: str, answer_id: str, verb: Verb, reason: Reason) -> None:
    """An answer that counts for nothing: an alarm. Of what a stranger wrote only an id is repeated."""
    known = request_id if is_id(request_id, "req") else ""
    w.publish(AnswerRefused(request_id=known, holder=holder, answer_id=answer_id, verb=verb, reason=reason))
