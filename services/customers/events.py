"""What customers publishes, and its reading copy of what it needs from identity.

Personal values stand here as ciphertext under the person's data key only; `key_version` names the key, never is it.
"""

import base64
from typing import Literal

from pydantic import ConfigDict, Field

from shared.bus.event import Ciphertext, Event
from shared.keys.cipher import Sealed

Level = Literal["clear", "masked", "hidden"]


class CustomerCreated(Event, type="kept.customers.customer.created.v1"):
    """There is a record of this person. `locators` find it for who knows an identifier already."""

    key_version: int
    fields: dict[str, Ciphertext]
    locators: list[str]


class CustomerUpdated(Event, type="kept.customers.customer.updated.v1"):
    """These fields changed. `locators` are all that are valid from now on, if the change touched one; None: as before. A
    changed e-mail address has none before it proves who somebody is: until then the one before leads to them.

    A field that is null was emptied."""

    key_version: int
    version: int
    fields: dict[str, Ciphertext | None]
    locators: list[str] | None


class AddressChanged(Event, type="kept.customers.address.changed.v1"):
    """Somebody (`ce_actor`) wrote another e-mail address over the one of `subject`, or emptied it. It proves nothing yet."""

    change_id: str
    had_address: bool
    has_address: bool


class AddressConfirmed(Event, type="kept.customers.address.confirmed.v1"):
    """The changed address proves who somebody is from now on: both mailboxes said yes (`mailboxes`), the one before was told
    and did not object (`time`), or two people saw evidence (`approval`)."""

    change_id: str
    how: Literal["mailboxes", "time", "approval"]
    approvers: list[str] = Field(default_factory=list)


class AddressObjected(Event, type="kept.customers.address.objected.v1"):
    """Who reads mail at the address before says that the change is not theirs: it stands in the record again. Somebody
    (`changed_by`) may have tried to take a person's place."""

    change_id: str
    changed_by: str


class RecordsViewed(Event, type="kept.customers.records.viewed.v1"):
    """Somebody (`ce_actor`) looked at a page of records: whose, which fields at which level, why, under which policies.

    One look, one event; `subject` where it was exactly one person. `searched` names fields that the look asked for by
    value."""

    subjects: list[str]
    fields: dict[str, Level]
    purpose: str
    decision: list[str]
    searched: list[str] = Field(default_factory=list)

    def key(self) -> str:
        return self.subject or (self.subjects[0] if self.subjects else self.type_)


class RecordsExported(Event, type="kept.customers.records.exported.v1"):
    """All records that the actor may see left, sealed to a key of the actor's; two others had agreed."""

    export_id: str
    rows: int
    approval_id: str
    approvers: list[str]

    def key(self) -> str:
        return self.export_id


class ImportCompleted(Event, type="kept.customers.import.completed.v1"):
    """A file was taken in whole. Columns without a purpose were refused: nothing of them was stored.

    `forgotten`: rows of people who were forgotten, and stay so. `returned`: such people whom the actor said to be back.
    `different`: rows of people who are there with other values, which stay. `unowned`: made, though nobody on the staff can see
    them yet. `numbered`: records that hold their number from now on."""

    import_id: str
    rows: int
    created: int
    already_there: int
    forgotten: int = 0
    returned: int = 0
    different: int = 0
    unowned: int = 0
    numbered: int = 0
    refused_columns: list[str]

    def key(self) -> str:
        return self.import_id


class UserCreated(Event, type="kept.identity.user.created.v1"):
    """Identity's event as far as the staff directory reads it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    manager: str | None = None
    locators: list[str]


class ApprovalGranted(Event, type="kept.identity.approval.granted.v1"):
    """Identity's event as far as customers reads it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    action: str
    resource: str
    approvers: list[str]


def ciphertext(sealed: Sealed) -> Ciphertext:
    """As events carry it."""
    return base64.b64encode(sealed).decode("ascii")
