"""One user's data key is renewed (shared/rekey.py): the account, and the authenticator's secret.

Password and hashes stay as they are: no person's key is in them. Nobody is signed out."""

from typing import Final

from services.identity.accounts.tables import User
from services.identity.events import UserKeyRenewed
from services.identity.factors.tables import Factor
from shared import rekey
from shared.work import Work

SEALED: Final = (User.id, Factor.user_id)  # whose key the sealed columns of each table are under


async def renew_key(w: Work, subject: str) -> int:
    """The new version's number, told by an event. NotFoundError for nobody, and for who was erased."""
    version = await rekey.renew_key(w, subject, *SEALED)
    w.publish(UserKeyRenewed(subject=subject, key_version=version))
    return version
