"""Every error Kept raises, in five families. Nobody matches on text: `code` is stable, fields are typed.

- `MalformedError`   the input is not what its format says: refuse it.
- `TamperError`      what was written once now reads differently: alarm, and stop.
- `UnavailableError` a part is away (Vault sealed, Kafka gone): retry later.
- `InvariantError`   our own bug.
- `RefusedError`     the domain says no; mapped to `application/problem+json` (RFC 9457) in shared/http alone.

A message never carries a personal value or a secret: it names fields, ids and limits.
"""

from typing import ClassVar


class KeptError(Exception):
    """Base of all. `code` is stable and public; `status` is the HTTP status of the answer."""

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500

    def __init__(self, detail: str = "") -> None:
        self.detail = detail or (self.__doc__ or "").split("\n")[0]
        super().__init__(self.detail)


class MalformedError(KeptError):
    """The input does not follow its format."""

    code = "malformed"
    status = 400


class TamperError(KeptError):
    """What was written once reads differently now."""

    code = "tampered"
    status = 500


class UnavailableError(KeptError):
    """A part that this needs is away; trying again later is right."""

    code = "unavailable"
    status = 503

    def __init__(self, detail: str = "", *, retry_after: int = 5) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class InvariantError(KeptError):
    """A defect in Kept itself."""

    code = "invariant"
    status = 500


class RefusedError(KeptError):
    """The domain says no."""

    code = "refused"
    status = 403


class UnauthenticatedError(RefusedError):
    """Sign in first."""

    code = "unauthenticated"
    status = 401


class NotAllowedError(RefusedError):
    """This actor may not do this.

    Says nothing about whether the thing exists."""

    code = "not-allowed"
    status = 403


class NotFoundError(RefusedError):
    """There is no such thing, or none that this actor may know of."""

    code = "not-found"
    status = 404


class ConflictError(RefusedError):
    """The state of the thing does not allow this now."""

    code = "conflict"
    status = 409


class PreconditionError(RefusedError):
    """The thing changed since it was read (If-Match)."""

    code = "precondition-failed"
    status = 412


class PreconditionRequiredError(RefusedError):
    """An update must say what it has seen (If-Match; RFC 6585)."""

    code = "precondition-required"
    status = 428


class InvalidInputError(RefusedError):
    """A field's value is not acceptable."""

    code = "invalid-input"
    status = 422

    def __init__(self, detail: str = "", *, field: str = "") -> None:
        super().__init__(detail)
        self.field = field


class TooLargeError(RefusedError):
    """The input is over its limit."""

    code = "too-large"
    status = 413


class TooLargeHeadError(RefusedError):
    """The headers are over their limit (RFC 6585)."""

    code = "too-large"
    status = 431


class TooSlowError(RefusedError):
    """The request came too slowly."""

    code = "timeout"
    status = 408


class MisdirectedError(RefusedError):
    """This is not a host of ours."""

    code = "misdirected"
    status = 421


class TooManyError(RefusedError):
    """Too many tries; wait."""

    code = "too-many"
    status = 429

    def __init__(self, detail: str = "", *, retry_after: int = 60) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class ShreddedError(RefusedError):
    """The subject's data key was destroyed: nobody can read this any more."""

    code = "shredded"
    status = 410


def described(error: BaseException) -> str:
    """What an error was, as it may be told and kept: its code, or its class, and where it was raised. Never its text, which may
    hold a value (P1). Of several at once the first."""
    where = place(error)
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{reason(error)} at {place(error) or where}"


def reason(error: BaseException) -> str:
    """Its code, or its class."""
    return error.code if isinstance(error, KeptError) else type(error).__name__


def place(error: BaseException) -> str:
    """File and line of its innermost frame: enough to find a defect, without the values in it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno}" if trace else ""
