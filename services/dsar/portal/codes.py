"""The code that a mail carries. Asked for twice, the living one is sent again: whichever mail is opened, its code is right.

It is sealed under the request's own key, so that a mail can be written with it, and nobody reads it without Vault; a hash of
eight digits would not keep it from anybody who has the table. Its life begins anew with each sending, for at most an hour.
"""

import hmac
import secrets

from services.dsar.portal.model import CODE_LIFE, CODE_NUMBERS, code_text, may_resend, typed_code
from services.dsar.portal.tables import Code
from shared.work import Work


async def living(w: Work, request_id: str) -> str:
    """As it stands in the mail. The tries of a code that is sent again go on counting."""
    code = await w.session.get(Code, request_id, with_for_update=True)
    if code is not None and may_resend(code.issued_at, code.expires_at, code.tries, w.now):
        code.expires_at = w.now + CODE_LIFE
        return code_text(int(await w.open(Code.sealed, request_id, code.sealed)))
    shown = code_text(secrets.randbelow(CODE_NUMBERS))
    sealed = await w.seal(Code.sealed, request_id, typed_code(shown))
    if code is None:
        code = Code(request_id=request_id, sealed=sealed, issued_at=w.now, expires_at=w.now + CODE_LIFE, tries=0)
        w.session.add(code)
    else:
        code.sealed, code.issued_at, code.expires_at, code.tries = sealed, w.now, w.now + CODE_LIFE, 0
    return shown


async def matches(w: Work, code: Code, typed: str) -> bool:
    """Whether `typed` is this code."""
    return hmac.compare_digest(await w.open(Code.sealed, code.request_id, code.sealed), typed)
