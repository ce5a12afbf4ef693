"""Why a request was refused, and where one complains: in words, in the reader's language."""

from services.dsar.law import book
from services.dsar.law.model import Law
from services.dsar.portal.texts import words
from services.dsar.requests.tables import DataRequest
from services.dsar.settings import DsarSettings


def told(request: DataRequest, settings: DsarSettings) -> dict[str, str]:
    """What a mail about a refusal says of it."""
    law = book().of(request.law, request.received_at)
    said = reason(law, request.refusal, request.language)
    return {"reason": said, "authority": authority(law, settings, request.language)}


def reason(law: Law | None, code: str | None, language: str) -> str:
    """The law's words for its code, with the article. Never a bare code."""
    found = next((one for one in (law.refusal if law else ()) if one.code == code), None)
    if law is None or found is None:
        return words(language, "refused.unsaid")
    return f"{found.says(language)} ({law.called(language)}, {found.article})"


def authority(law: Law | None, settings: DsarSettings, language: str) -> str:
    """The controller's own, where it named one; else the law's."""
    return settings.supervisory_authority or (law.authority.says(language) if law else words(language, "refused.anyone"))
