"""The code that a mail carries. Asked for twice, the living one is sent again: whichever mail is opened, its code is right.

It is sealed under the request's own key, so that a mail can be written with it, and nobody reads it without Vault; a hash of
eight digits would not keep it from anybody who has the table. Its life begins anew with each sending, for at most an hour.
"""

import hmac
import secrets

from sqlalchemy import select

from services.dsar.portal.model import CODE_LIFE, CODE_NUMBERS, code_text, may_resend, typed_code
from services.dsar.requests.tables import Code, DataRequest
from shared.work import Work


async def living(w: Work, request_id: str) -> str:
    """As it stands in the mail. The tries of a code that is sent again go on counting. Nobody renews the key meanwhile: a code
    would be sealed under the one before."""
    await w.session.execute(select(DataRequest.id).where(DataRequest.id == request_id).with_for_update(read=True))
    code = await w.session.get(Code, request_id, with_for_update=True)
    await w.unlock(request_id)
    if code is not None and may_resend(code.issued_at, code.expires_at, code.tries, w.now):
        code.expires_at = w.now + CODE_LIFE
        return code_text(int(w.open(Code.sealed, request_id, code.sealed)))
    shown = code_text(secrets.randbelow(CODE_NUMBERS))
    sealed = w.seal(Code.sealed, request_id, typed_code(shown))
    if code is None:
        code = Code(request_id=request_id, sealed=sealed, issued_at=w.now, expires_at=w.now + CODE_LIFE, tries=0)
        w.session.add(code)
    else:
        code.sealed, code.issued_at, code.expires_at, code.tries = sealed, w.now, w.now + CODE_LIFE, 0
    return shown


async def matches(w: Work, code: Code, typed: str) -> bool:
    """Whether `typed` is this code."""
    await w.unlock(code.request_id)
    return hmac.compare_digest(w.open(Code.sealed, code.request_id, code.sealed), typed)
