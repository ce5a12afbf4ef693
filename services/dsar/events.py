"""What dsar publishes about requests, and its reading copies of what it needs from others.

The typed address never appears, not even sealed: an event says the request, the right and the dates.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.bus.event import Event

Verb = Literal["located", "collected", "erased", "attested"]
Reason = Literal["bad-note", "bad-receipt", "misplaced", "unreadable", "too-much"]


class _AboutRequest(Event):
    """Keyed by the request, so that one request's events stay in order."""

    request_id: str

    def key(self) -> str:
        return self.request_id


class RequestReceived(_AboutRequest, type="kept.dsar.request.received.v1"):
    """Somebody typed an address and chose a right. Not yet verified."""

    right: Literal["access", "erasure"]
    law: str
    due: str


class RequestVerified(_AboutRequest, type="kept.dsar.request.verified.v1"):
    """The one-time code sent to the typed address came back."""


class RequestExtended(_AboutRequest, type="kept.dsar.request.extended.v1"):
    """Staff used the law's extension; the person was told with the reason."""

    due: str
    reason: Literal["complex", "many"]


class RequestAnswered(_AboutRequest, type="kept.dsar.request.answered.v1"):
    """The answer is ready for the person. `missing` holders did not answer in time and are named in it."""

    outcome: Literal["held", "nothing", "erased", "refused"]
    missing: list[str] = Field(default_factory=list)
    left_out: int = 0  # other records that share the address and were not covered
    ground: str | None = Field(default=None, description="of a refusal: the law's reason, by its code")


class RequestKeyRenewed(_AboutRequest, type="kept.dsar.key.renewed.v1"):
    """What the request holds was sealed anew under version `key_version` of its data key. The ones before go when it ends."""

    key_version: int


class PackageDelivered(_AboutRequest, type="kept.dsar.package.delivered.v1"):
    """The person downloaded what is held on them: a reading of personal data by the person (P7)."""

    holders: list[str]
    encrypted: bool
    subjects: list[str] = Field(default_factory=list)  # every record that is in it


class Ground(BaseModel):
    """A reason for which the law lets one refuse, in the words that the person reads."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str
    article: str
    en: str
    zh: str


class ErasureRequested(_AboutRequest, type="kept.dsar.erasure.requested.v1"):
    """A verified person asks to be forgotten; identity opens an approval for two people. Said again while nobody has decided:
    `subjects` are all whom it concerns, `due` the date that the law sets, `grounds` the reasons that a no may have."""

    subjects: list[str] = Field(default_factory=list)  # every record that would be erased
    staff: list[str] = Field(default_factory=list)  # also under the address: they do not decide, and nothing of theirs goes
    law: str | None = None
    due: str | None = None
    grounds: list[Ground] = Field(default_factory=list)


class ClaimProposed(_AboutRequest, type="kept.dsar.claim.proposed.v1"):
    """One at the desk says on evidence that a record is the person's who asks; a second one must say so too."""

    evidence: str


class ClaimDecided(_AboutRequest, type="kept.dsar.claim.decided.v1"):
    """Two at the desk said so: the request covers the record."""

    evidence: str
    staff: list[str]


class ErasureProven(_AboutRequest, type="kept.dsar.erasure.proven.v1"):
    """A holder's signed word that it erased the subject, verified by dsar. `answer_id`: the event that carried it; `note`:
    the word itself, in clear, so that the log can be shown to have it. Certificates carry the receipt of this event."""

    holder: str
    answer_id: str
    note: str


class AnswerRefused(_AboutRequest, type="kept.dsar.answer.refused.v1", ordered=False):
    """Somebody answered in a holder's name, or a holder said what its own note does not: an alarm. The answer counts for
    nothing, and the request goes on waiting. `request_id` is empty where the answer names none.

    `bad-note`: no note, or not signed by that holder, or about something else. `bad-receipt`: the log's own key does not
    prove what audit says. `misplaced`: on another topic than the holder's own. `unreadable`: a part of a person's data that is
    not sealed to the request, or not what the contract says; words about an erasure that no page can show. `too-much`: more on
    a person than we take of one holder."""

    holder: str
    answer_id: str
    verb: Verb
    reason: Reason

    def key(self) -> str:
        return self.request_id or self.holder


class CertificateIssued(_AboutRequest, type="kept.dsar.certificate.issued.v1"):
    """Every holder that was asked erased, every receipt is in: the signed certificate exists."""

    certificate_sha256: str


class RequestClosed(_AboutRequest, type="kept.dsar.request.closed.v1"):
    """The request's own keys are destroyed: the address and the sealed answers are unreadable from now on. `withdrawn`: by its
    person, or because a record that an access covers was erased at another request."""

    reason: Literal["done", "withdrawn", "unverified", "expired"]


class _Made(Event):
    """A subject came to be. That it did, on the topic of the service that made it, is all that dsar reads."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class UserCreated(_Made, type="kept.identity.user.created.v1"):
    """A member of staff."""


class CustomerCreated(_Made, type="kept.customers.customer.created.v1"):
    """A customer."""


class _ReadingCopy(Event):
    """Another service's event as far as dsar reads it; what it does not know, it does not mind."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    approval_id: str
    action: str
    resource: str
    requester: str = ""  # an older identity does not say it
    subjects: list[str] = Field(default_factory=list)


class ApprovalGranted(_ReadingCopy, type="kept.identity.approval.granted.v1"):
    """Two different people agreed."""

    approvers: list[str]


class ApprovalRefused(_ReadingCopy, type="kept.identity.approval.refused.v1"):
    """Somebody who may decide said no, and why. `expired`: nobody decided, which is not a no."""

    reason: str = "refused"
    ground: str | None = None
