"""What customers publishes, and its reading copy of what it needs from identity.

Personal values stand here as ciphertext under the person's data key only; `key_version` names the key, never is it.
"""

from typing import Literal

from pydantic import ConfigDict, Field

from shared.bus.event import Ciphertext, Event

Level = Literal["clear", "masked", "hidden"]


class CustomerCreated(Event, type="kept.customers.customer.created.v1"):
    """There is a record of this person. `locators` find it for who knows an identifier already."""

    key_version: int
    fields: dict[str, Ciphertext]
    locators: list[str]


class CustomerUpdated(Event, type="kept.customers.customer.updated.v1"):
    """These fields changed. `locators` are all that are valid from now on, if the change touched one; None: as before.

    A field that is null was emptied."""

    key_version: int
    version: int
    fields: dict[str, Ciphertext | None]
    locators: list[str] | None


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

    `forgotten`: rows of people who were forgotten, and stay so. `returned`: such people whom the actor said to be back."""

    import_id: str
    rows: int
    created: int
    already_there: int
    forgotten: int = 0
    returned: int = 0
    refused_columns: list[str]

    def key(self) -> str:
        return self.import_id


class UserCreated(Event, type="kept.identity.user.created.v1"):
    """Identity's event as far as the staff directory reads it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    manager: str | None = None
    locators: list[str]
