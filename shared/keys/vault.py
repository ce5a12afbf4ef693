"""The one client of Vault (or OpenBao, same API). Keys stay there; this asks for their use.

Fail closed (P5): sealed, unreachable or refusing, every call raises UnavailableError. No error carries a secret: texts
name the operation and the HTTP family only, and the cause is cut off (`from None`).
"""

import asyncio
import base64
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

import hvac
import requests
from hvac import exceptions as refusals

from shared.errors import InvariantError, NotFoundError, TamperError, UnavailableError

BATCH_MAX = 450  # items per call; the server refuses a JSON body of more than 1000 strings
CALL_SECONDS_MAX = 10  # one HTTP call to Vault
HEALTH_SECONDS = 1.0  # how old an answer to "are you open?" may be

log = logging.getLogger(__name__)


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


class Vault:
    """AppRole login, renewed in time and again after a refusal; batches; calls run in threads."""

    def __init__(self, addr: str, role_id: str, secret_id: str | Callable[[], str]) -> None:
        self._client = hvac.Client(url=addr, timeout=CALL_SECONDS_MAX)
        self._role_id = role_id
        self._secret_id = secret_id
        self._login_lock = asyncio.Lock()
        self._probe_lock = asyncio.Lock()
        self._renew_at = 0.0
        self._probed_at = float("-inf")
        self._open = False

    # -- session ------------------------------------------------------------------------------------------------

    async def login(self) -> None:
        """Exchange role id and secret id for a token; later calls renew it by themselves."""
        async with self._login_lock:
            await asyncio.to_thread(self._login)

    def _login(self) -> None:
        secret = self._secret_id() if callable(self._secret_id) else self._secret_id
        try:
            answer: dict[str, Any] = self._client.adapter.post(
                "/v1/auth/approle/login", json={"role_id": self._role_id, "secret_id": secret}
            )
        except (refusals.VaultError, requests.RequestException) as why:
            raise UnavailableError(f"vault: login failed ({type(why).__name__})") from None
        auth = answer["auth"]
        self._client.token = auth["client_token"]
        # Two thirds of the lease: early enough for a slow login, rare enough not to matter.
        self._renew_at = time.monotonic() + max(1.0, float(auth["lease_duration"] or 3600) * 2 / 3)

    async def close(self) -> None:
        """Close the connections."""
        await asyncio.to_thread(self._client.adapter.close)

    # -- health -------------------------------------------------------------------------------------------------

    async def healthy(self) -> bool:
        """Whether Vault is there and unsealed; the answer is at most HEALTH_SECONDS old."""
        async with self._probe_lock:
            if time.monotonic() - self._probed_at > HEALTH_SECONDS:
                self._open = await asyncio.to_thread(self._probe)
                self._probed_at = time.monotonic()
        return self._open

    def _probe(self) -> bool:
        try:
            answer = requests.get(f"{self._client.url}/v1/sys/health", params={"standbyok": "true"}, timeout=2)
        except requests.RequestException:
            return False
        return answer.status_code == 200

    async def require_healthy(self) -> None:
        """UnavailableError unless healthy(): keys already in memory must not outlive a sealed Vault."""
        if not await self.healthy():
            raise UnavailableError("vault is sealed or away")

    # -- transit ------------------------------------------------------------------------------------------------

    async def encrypt(self, key: str, plaintexts: Sequence[bytes]) -> list[str]:
        """Wrap each under transit key `key`."""
        items = [{"plaintext": _b64(one)} for one in plaintexts]
        return [str(one["ciphertext"]) for one in await self._batches(f"transit/encrypt/{key}", items)]

    async def decrypt(self, key: str, ciphertexts: Sequence[str]) -> list[bytes]:
        """Unwrap each; TamperError where one does not open."""
        items = [{"ciphertext": one} for one in ciphertexts]
        return [base64.b64decode(one["plaintext"]) for one in await self._batches(f"transit/decrypt/{key}", items)]

    async def rewrap(self, key: str, ciphertexts: Sequence[str]) -> list[str]:
        """Wrap each under the newest version of `key`, without the plaintext leaving Vault."""
        items = [{"ciphertext": one} for one in ciphertexts]
        return [str(one["ciphertext"]) for one in await self._batches(f"transit/rewrap/{key}", items)]

    async def hmac(self, key: str, inputs: Sequence[bytes]) -> list[str]:
        """HMAC-SHA-256 of each, as `vault:v<version>:<base64>`."""
        items = [{"input": _b64(one)} for one in inputs]
        return [str(one["hmac"]) for one in await self._batches(f"transit/hmac/{key}/sha2-256", items)]

    async def sign(self, key: str, message: bytes) -> tuple[int, bytes]:
        """(key version, 64-byte Ed25519 signature) of `message`."""
        data = await self._post(f"transit/sign/{key}", {"input": _b64(message)})
        _, version, signature = str(data["signature"]).split(":", 2)
        return int(version.removeprefix("v")), base64.b64decode(signature)

    async def public_keys(self, key: str) -> dict[int, bytes]:
        """Version -> 32-byte Ed25519 public key."""
        data = await self._get(f"transit/keys/{key}")
        return {int(version): base64.b64decode(one["public_key"]) for version, one in data["keys"].items()}

    async def _batches(self, path: str, items: Sequence[dict[str, str]]) -> list[dict[str, Any]]:
        results: list[dict[str, Any]] = []
        for start in range(0, len(items), BATCH_MAX):
            part = list(items[start : start + BATCH_MAX])
            answer = (await self._post(path, {"batch_input": part}))["batch_results"]
            if len(answer) != len(part):
                raise InvariantError(f"vault: {path.split('/')[1]} answered {len(answer)} of {len(part)}")
            if any(one.get("error") for one in answer):
                raise TamperError(f"vault: {path.split('/')[1]} refused an item")
            results += answer
        return results

    # -- secrets ------------------------------------------------------------------------------------------------

    async def kv(self, path: str) -> dict[str, Any]:
        """The newest version of the secret at `<service>/<name>` in the KV store `kept/`; NotFoundError."""
        return (await self.kv_versioned(path))[0]

    async def kv_versioned(self, path: str) -> tuple[dict[str, Any], int]:
        """The secret and its version number, for a later `kv_put(..., cas=version)`."""
        data = await self._get(f"kept/data/{path.removeprefix('kept/')}")
        found = data.get("data")
        if found is None:
            raise NotFoundError("vault: that secret was deleted")
        return dict(found), int(data["metadata"]["version"])

    async def kv_put(self, path: str, data: dict[str, Any], *, cas: int | None = None) -> None:
        """Write a new version; with `cas` only if that is the newest version now (0: none yet), else TamperError."""
        body: dict[str, Any] = {"data": data}
        if cas is not None:
            body["options"] = {"cas": cas}
        await self._post(f"kept/data/{path.removeprefix('kept/')}", body)

    # -- calls --------------------------------------------------------------------------------------------------

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return await self._call(path, lambda: self._client.adapter.post(f"/v1/{path}", json=body))

    async def _get(self, path: str) -> dict[str, Any]:
        return await self._call(path, lambda: self._client.adapter.get(f"/v1/{path}"))

    async def _call(self, path: str, call: Callable[[], Any]) -> dict[str, Any]:
        if time.monotonic() >= self._renew_at:
            await self._login_again()
        try:
            return await asyncio.to_thread(_ask, path, call)
        except _Refused:
            self._renew_at = 0.0
        await self._login_again()  # the token was revoked or Vault lost it: once more with a new one
        try:
            return await asyncio.to_thread(_ask, path, call)
        except _Refused:
            raise UnavailableError(f"vault: not permitted: {_operation(path)}") from None

    async def _login_again(self) -> None:
        async with self._login_lock:
            if time.monotonic() >= self._renew_at:  # another task may have done it while we waited
                await asyncio.to_thread(self._login)


class _Refused(Exception):
    """403: the token does not hold (any more)."""


def _operation(path: str) -> str:
    return "/".join(path.split("/")[:3])


def _ask(path: str, call: Callable[[], Any]) -> dict[str, Any]:
    what = _operation(path)
    try:
        answer = call()
    except (refusals.Forbidden, refusals.Unauthorized):
        raise _Refused from None
    except refusals.InvalidPath:
        raise NotFoundError(f"vault: nothing at {what}") from None
    except refusals.InvalidRequest:
        raise TamperError(f"vault: {what} refused the input") from None
    except (refusals.VaultError, requests.RequestException) as why:
        raise UnavailableError(f"vault: {what} ({type(why).__name__})") from None
    data = answer.get("data") if isinstance(answer, dict) else None
    return data if isinstance(data, dict) else {}
