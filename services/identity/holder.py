"""How identity answers data-subject commands: its subjects are the staff."""

from collections.abc import Sequence

from sqlalchemy import delete, exists, or_, select

from services.identity.accounts.tables import User, UserLocator
from services.identity.approvals.tables import ApprovalRow
from services.identity.events import AccountViewed
from services.identity.factors.tables import Factor
from services.identity.sessions.actions import end_all
from services.identity.sessions.tables import Session
from shared.clock import rfc3339
from shared.holder.contract import Category, Kept
from shared.holder.sdk import Forgotten, Found, Holder, found_by
from shared.work import Work

SEALED = ("name", "email", "phone", "number")


class IdentityHolder(Holder):
    """Accounts and sign-ins."""

    name = "identity"

    async def locate(self, w: Work, locators: Sequence[str]) -> list[Found]:
        """Every user with one of these."""
        return await found_by(w, locators, UserLocator.user_id, UserLocator.locator)

    async def collect(self, w: Work, subject: str) -> list[Category]:
        """Everything held. A reading like any other: it is told."""
        user = await w.session.get(User, subject)
        if user is None or user.erased_at is not None:
            return []
        await w.unlock(subject)
        account = {"id": user.id, "roles": list(user.roles), "since": rfc3339(user.created_at)}
        if user.name is not None:
            account["name"] = w.open(User.name, subject, user.name)
        if user.email is not None:
            account["email"] = w.open(User.email, subject, user.email)
        if user.phone is not None:
            account["phone"] = w.open(User.phone, subject, user.phone)
        if user.number is not None:
            account["employee number"] = w.open(User.number, subject, user.number)
        w.publish(
            AccountViewed(
                subject=subject,
                fields=dict.fromkeys((name for name in SEALED if getattr(user, name) is not None), "clear"),
                purpose="data-subject request",
                decision=["the person's own right (GDPR 15)"],
            )
        )
        sessions = await w.session.scalars(select(Session).where(Session.user_id == subject).order_by(Session.started_at))
        return [
            Category(
                name="staff account",
                purpose="access to the company's systems",
                basis="GDPR Art. 6(1)(b)",
                retention="until employment ends, or on request",
                records=[account],
            ),
            Category(
                name="sign-ins",
                purpose="security of processing",
                basis="GDPR Art. 6(1)(f)",
                retention="30 days",
                records=[{"started": rfc3339(one.started_at), "until": rfc3339(one.expires_at)} for one in sessions],
            ),
        ]

    async def erase(self, w: Work, subject: str, request_id: str) -> Forgotten:
        """Shred the key; drop sealed fields, index rows, password and sessions. Nobody can sign in with it again."""
        user = await w.session.get(User, subject, with_for_update=True)
        report = await w.shred(subject)
        decided = await _decided(w, subject)
        if user is None:
            return Forgotten(fields=0, key_version=report.version, kept=decided)
        fields = sum(value is not None for value in (user.name, user.email, user.phone, user.number, user.password))
        user.name = user.email = user.phone = user.number = user.email_index = user.password = None
        user.roles, user.erased_at = [], user.erased_at or w.now
        factor = await w.session.get(Factor, subject)
        if factor is not None:
            fields += 1
            await w.session.delete(factor)
        await end_all(w, subject)
        await w.session.execute(delete(UserLocator).where(UserLocator.user_id == subject))
        await w.session.execute(delete(Session).where(Session.user_id == subject))
        kept = Kept(what="pseudonym, reporting line, decisions on approvals", reason="GDPR Art. 17(3)(e), accountability")
        return Forgotten(fields=fields, key_version=report.version, kept=[kept, *decided])


async def _decided(w: Work, subject: str) -> list[Kept]:
    """What stays of a person about whom approvals were asked for: anybody may be, staff or not, and each of several records."""
    about = or_(ApprovalRow.subject == subject, ApprovalRow.subjects.contains([subject]))
    if not await w.session.scalar(select(exists().where(about))):
        return []
    return [Kept(what="who decided on your erasure and when, under your pseudonym", reason="GDPR 5(2), 17(3)(e)")]
