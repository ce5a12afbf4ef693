"""What customers publishes, and its reading copy of what it needs from identity.

Personal values stand here as ciphertext under the person's data key only; `key_version` names the key, never is it.
"""

from typing import Literal

from pydantic import ConfigDict, Field

from shared.bus.event import Event
from shared.keys.ciphertext import Ciphertext

Level = Literal["clear", "masked", "hidden"]


class CustomerCreated(Event, type="kept.customers.customer.created.v1"):
    """There is a record of this person. `locators` find it for who knows an identifier already. `owner`: the user who looks
    after them, none where it waits for one. `returned`: somebody with this number or address was forgotten; who made the record
    said that they are a customer again, and answers for it."""

    key_version: int
    fields: dict[str, Ciphertext]
    locators: list[str]
    owner: str | None = None
    returned: bool = False


class CustomerUpdated(Event, type="kept.customers.customer.updated.v1"):
    """These fields changed. `locators` are all that are valid from now on, if the change touched one; None: as before. A
    changed e-mail address has none before it proves who somebody is: until then the one before leads to them.

    A field that is null was emptied."""

    key_version: int
    version: int
    fields: dict[str, Ciphertext | None]
    locators: list[str] | None


class CustomerKeyRenewed(Event, type="kept.customers.key.renewed.v1"):
    """The record was sealed anew under version `key_version` of this person's data key. Events of before are under an older
    one, which goes with an erasure."""

    key_version: int


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


class RecordsViewed(Event, type="kept.customers.records.viewed.v1", ordered=False):
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


class RecordsAssigned(Event, type="kept.customers.records.assigned.v1"):
    """These records waited for a user who was not there yet: `owner` looks after them from now on."""

    subjects: list[str]
    owner: str

    def key(self) -> str:
        return self.owner


class RecordsExported(Event, type="kept.customers.records.exported.v1"):
    """All records that the actor may see left, sealed to a key of the actor's; two others had agreed."""

    export_id: str
    rows: int
    approval_id: str
    approvers: list[str]

    def key(self) -> str:
        return self.export_id


class ImportCompleted(Event, type="kept.customers.import.completed.v2"):
    """A file was taken in whole. `refused_columns`: how many had no purpose; nothing of them was stored, nor what they were
    called, which may be a person's name.

    `forgotten`: rows of people who were forgotten, and stay so. `returned`: such people whom the actor said to be back.
    `different`: rows of people who are there with other values, which stay. `unowned`: made, though nobody on the staff can see
    them yet. `numbered`: records that hold their number from now on."""

    import_id: str
    rows: int
    created: int
    already_there: int
    forgotten: int
    returned: int
    different: int
    unowned: int
    numbered: int
    refused_columns: int

    def key(self) -> str:
        return self.import_id


class ImportCompletedV1(Event, type="kept.customers.import.completed.v1"):
    """What was written before version 2, with the columns' names as the file had them. Nobody writes it any more."""

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


class UserLocated(Event, type="kept.identity.user.located.v1"):
    """Identity's event as far as the staff directory reads it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    locators: list[str]


class ApprovalGranted(Event, type="kept.identity.approval.granted.v1"):
    """Identity's event as far as customers reads it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    action: str
    resource: str
    approvers: list[str]
