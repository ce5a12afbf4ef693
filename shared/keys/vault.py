"""Vault (or OpenBao): the only client. Transit, KV v2 and a login (login.py); blocking calls run in threads.

Fails closed: sealed, unreachable or forbidden after a fresh login is `UnavailableError` (a policy is
put right while work waits), and the text of an error never holds what was sent or received.
"""

import asyncio
import base64
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import hvac
import hvac.exceptions
import urllib3

from shared.errors import InvariantError, NotAllowedError, NotFoundError, UnavailableError
from shared.keys.login import Login, login_of
from shared.keys.transport import Transport
from shared.metrics import vault_call
from shared.settings import ServiceSettings

BATCH_MAX = 450  # items per call: OpenBao refuses a JSON body with more than 1000 strings
HEALTH_SECONDS = 1.0  # how old an answer about the seal may be before plaintext is served on it
CALL_SECONDS_MAX = 10.0  # of a call, the wait for a thread included: where Vault hangs, threads are soon used up
LOGIN_MARGIN = 0.5  # log in again when this share of the token's life is over
T = TypeVar("T")


@dataclass(frozen=True)
class KeyVersion:
    """One version of an Ed25519 signing key. `created`: RFC 3339, as Vault says it."""

    public: bytes
    created: str


@dataclass(frozen=True)
class Versions:
    """Of a transit key: the newest, and the oldest that still opens (or computes) what it made."""

    newest: int
    oldest: int


class Vault:
    """Of one process; `login` is how it shows who it is."""

    def __init__(self, addr: str, login: Login, *, timeout: float = 5.0) -> None:
        self._client = hvac.Client(url=addr, timeout=timeout, adapter=Transport)
        self._sign_in = login
        self._login_until = 0.0
        self._healthy_at = 0.0
        self._healthy = False
        self._login_lock = asyncio.Lock()
        self._health_lock = asyncio.Lock()

    @classmethod
    def of(cls, settings: ServiceSettings) -> "Vault":
        """As the service of these settings."""
        return cls(settings.vault_addr, login_of(settings))

    # -- being there -------------------------------------------------------------------------------------------

    async def healthy(self) -> bool:
        """Whether Vault is reachable and unsealed; the answer is at most HEALTH_SECONDS old."""
        async with self._health_lock:  # whoever waits takes the answer of the one that asks
            if time.monotonic() - self._healthy_at > HEALTH_SECONDS:
                try:
                    async with asyncio.timeout(CALL_SECONDS_MAX):
                        self._healthy = await asyncio.to_thread(self._unsealed)
                except TimeoutError:
                    self._healthy = False
                self._healthy_at = time.monotonic()
        return self._healthy

    def _refuse_while_away(self) -> None:
        """UnavailableError where it was found away within HEALTH_SECONDS: what waits for one that hangs does not pile up."""
        if not self._healthy and time.monotonic() - self._healthy_at <= HEALTH_SECONDS:
            raise UnavailableError("the key service is sealed or away")

    async def require(self) -> None:
        """UnavailableError unless healthy: what stands before any use of a key that is already in memory."""
        if not await self.healthy():
            raise UnavailableError("the key service is sealed or away")

    def _unsealed(self) -> bool:
        try:
            return not self._client.sys.read_seal_status()["sealed"]
        except (urllib3.exceptions.HTTPError, hvac.exceptions.VaultError, KeyError, ValueError):
            return False

    async def login(self) -> None:
        """Take a fresh token. UnavailableError when Vault cannot give one."""
        try:
            await self._guarded(self._login)
        except (NotAllowedError, NotFoundError, InvariantError):
            # A secret id or a token that ran out or was just replaced: whoever deploys puts it right, and work goes on then.
            raise UnavailableError("the key service does not let this service in") from None

    def _login(self) -> None:
        self._login_until = time.monotonic() + max(self._sign_in(self._client), 1) * LOGIN_MARGIN

    async def _call(self, do: Callable[[], T]) -> T:
        self._refuse_while_away()
        async with self._login_lock:
            self._refuse_while_away()
            if time.monotonic() > self._login_until:
                await self.login()
        try:
            return await self._guarded(do)
        except NotAllowedError:
            async with self._login_lock:  # a revoked token looks like a refusal: once more with a fresh one
                await self.login()
        try:
            return await self._guarded(do)
        except NotAllowedError:
            raise UnavailableError("the key service refuses this to this service") from None

    async def _guarded(self, do: Callable[[], T]) -> T:
        with vault_call(UnavailableError):
            return await self._answered(do)

    async def _answered(self, do: Callable[[], T]) -> T:
        try:
            async with asyncio.timeout(CALL_SECONDS_MAX):
                return await asyncio.to_thread(do)
        except hvac.exceptions.Forbidden:
            raise NotAllowedError("the key service refuses this to this service") from None
        except hvac.exceptions.InvalidPath:
            raise NotFoundError("the key service has nothing there") from None
        except hvac.exceptions.InvalidRequest:
            raise InvariantError("the key service did not accept the request") from None
        except (urllib3.exceptions.HTTPError, hvac.exceptions.VaultError, OSError):
            self._healthy, self._healthy_at = False, time.monotonic()
            raise UnavailableError("the key service is sealed or away") from None

    # -- transit ------------------------------------------------------------------------------------------------

    async def encrypt(self, key: str, values: Sequence[bytes]) -> list[str]:
        """Wrap each value under transit key `key`: `vault:v<N>:…`, in order."""
        return await self._batch("encrypt", key, [{"plaintext": _b64(v)} for v in values], "ciphertext")

    async def decrypt(self, key: str, values: Sequence[str]) -> list[bytes]:
        """Unwrap, in order. InvariantError if one was not wrapped by this key or its version is trimmed."""
        found = await self._batch("decrypt", key, [{"ciphertext": v} for v in values], "plaintext")
        return [base64.b64decode(f) for f in found]

    async def rewrap(self, key: str, values: Sequence[str]) -> list[str]:
        """Each wrapped value under the newest version of `key`, in order; nobody sees it. InvariantError as `decrypt`."""
        return await self._batch("rewrap", key, [{"ciphertext": v} for v in values], "ciphertext")

    async def versions(self, key: str) -> Versions:
        """Which versions of a transit key there are."""
        answer = await self._call(lambda: self._client.read(f"transit/keys/{key}"))
        if answer is None:
            raise NotFoundError("no such key")
        return Versions(int(answer["data"]["latest_version"]), int(answer["data"]["min_decryption_version"]))

    async def rotate(self, key: str) -> None:
        """A new version of a transit key. Not idempotent."""
        await self._call(lambda: self._client.write_data(f"transit/keys/{key}/rotate", data={}))

    async def trim(self, key: str, oldest: int) -> None:
        """Take every version below `oldest` away, for good: what they wrapped opens nowhere any more."""
        least = {"min_decryption_version": oldest, "min_encryption_version": oldest}
        await self._call(lambda: self._client.write_data(f"transit/keys/{key}/config", data=least))
        await self._call(lambda: self._client.write_data(f"transit/keys/{key}/trim", data={"min_available_version": oldest}))

    async def hmac(self, key: str, values: Sequence[bytes], version: int) -> list[str]:
        """`vault:v<N>:<base64 HMAC-SHA-256>` of each value under this version of transit key `key`. InvariantError where it has
        none, or not any more."""
        return await self._batch("hmac", key, [{"input": _b64(v)} for v in values], "hmac", key_version=version)

    async def sign(self, key: str, message: bytes) -> tuple[int, bytes]:
        """(key version, 64-byte Ed25519 signature) over `message`."""
        return (await self.sign_all(key, [message]))[0]

    async def sign_all(self, key: str, messages: Sequence[bytes]) -> list[tuple[int, bytes]]:
        """(key version, 64-byte Ed25519 signature) over each message, in order."""
        found = await self._batch("sign", key, [{"input": _b64(m)} for m in messages], "signature")
        parts = [one.split(":", 2) for one in found]
        return [(int(version[1:]), base64.b64decode(signature)) for _, version, signature in parts]

    async def public_keys(self, key: str) -> dict[int, bytes]:
        """version -> 32-byte Ed25519 public key, all versions Vault still has."""
        return {version: one.public for version, one in (await self.key_versions(key)).items()}

    async def key_versions(self, key: str) -> dict[int, KeyVersion]:
        """Every version of a signing key that Vault still has."""
        answer = await self._call(lambda: self._client.read(f"transit/keys/{key}"))
        if answer is None:
            raise NotFoundError("no such signing key")
        found: dict[str, dict[str, str]] = answer["data"]["keys"]
        return {int(n): KeyVersion(base64.b64decode(k["public_key"]), k["creation_time"]) for n, k in found.items()}

    async def _batch(self, verb: str, key: str, items: list[dict[str, str]], field: str, **more: int) -> list[str]:
        out: list[str] = []
        for start in range(0, len(items), BATCH_MAX):
            part = items[start : start + BATCH_MAX]
            data = {"batch_input": part, **more}
            answer = await self._call(lambda data=data: self._client.write_data(f"transit/{verb}/{key}", data=data))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
            results: list[dict[str, str]] = answer["data"]["batch_results"]
            if len(results) != len(part) or any(field not in r for r in results):
                raise InvariantError("the key service refused an item of a batch")
            out += [r[field] for r in results]
        return out

    # -- secrets ------------------------------------------------------------------------------------------------

    async def kv(self, path: str) -> dict[str, str]:
        """The secret at `kept/<path>` (KV v2). NotFoundError if there is none."""
        answer: Any = await self._call(lambda: self._client.read(f"kept/data/{path}"))
        if answer is None:
            raise NotFoundError("no such secret")
        return dict(answer["data"]["data"])

    async def kv_there(self, path: str) -> bool:
        """Whether there is a secret at `kept/<path>`, without reading it."""
        return await self._call(lambda: self._client.read(f"kept/metadata/{path}")) is not None

    async def kv_destroy(self, path: str) -> None:
        """The secret at `kept/<path>` goes with all its versions, for good."""
        await self._call(lambda: self._client.delete(f"kept/metadata/{path}"))

    async def kv_put(self, path: str, values: dict[str, str]) -> None:
        await self._call(lambda: self._client.write_data(f"kept/data/{path}", data={"data": values}))


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
