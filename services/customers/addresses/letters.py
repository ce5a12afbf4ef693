"""What customers writes to people: that an address was changed, to the one before and to the new one. In English and
Chinese both: nothing says which of them the person reads."""

from services.customers.addresses.model import State
from services.customers.addresses.tables import AddressChange
from services.customers.pages.texts import TEXTS
from services.customers.settings import CustomersSettings
from shared.mail.model import Letter, Mail, Outcome
from shared.values.mailbox import mailbox
from shared.work import Work

_BETWEEN = "\n— — —\n\n"


class Letters:
    """A mail's kind, `address.<side>`, names its words; it is about a customer, its `change` stands among its facts."""

    def __init__(self, settings: CustomersSettings) -> None:
        self._settings = settings

    async def write(self, w: Work, mail: Mail) -> Letter | None:
        """None where the change waits no longer. Neither mail says who the person is: the new mailbox may be a stranger's."""
        change = await w.session.get(AddressChange, mail.facts["change"])
        if change is None or change.state != State.WAITING:
            return None
        columns = (AddressChange.old_email, AddressChange.old_secret)
        address, secret = change.old_email, change.old_secret
        if mail.kind == "address.new":
            columns = (AddressChange.new_email, AddressChange.new_secret)
            address, secret = change.new_email, change.new_secret
        if address is None or secret is None:
            return None
        await w.unlock(change.customer_id)
        values = {
            "controller": self._settings.controller,
            "contact": self._settings.contact,
            "days": str(self._settings.address_days),
            "link": f"{self._settings.public_origin}/customers/addresses/{change.id}/"
            + w.open(columns[1], change.customer_id, secret),
        }
        subjects, texts = ([TEXTS[lang][f"mail.{mail.kind}{part}"] for lang in ("en", "zh")] for part in (".subject", ""))
        return Letter(
            to=mailbox(w.open(columns[0], change.customer_id, address)),
            subject=" / ".join(subjects).format(**values),
            text=_BETWEEN.join(texts).format(**values),
        )

    async def settle(self, w: Work, mail: Mail, outcome: Outcome) -> None:
        """From here the waiting time runs: only where a mail server took the mail to the address before."""
        change = await w.session.get(AddressChange, mail.facts["change"], with_for_update=True)
        if change is not None and mail.kind == "address.old" and outcome is Outcome.SENT:
            change.told_at = change.told_at or mail.left_at or w.now
