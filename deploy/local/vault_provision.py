"""What Vault holds for Kept: engines, keys, policies, AppRoles. Idempotent: an existing key is never made anew."""

import base64
import hashlib
from pathlib import Path

import hvac
import requests

from deploy.arrows.table import TABLE
from deploy.local import catalog

ROLES = (*catalog.HOLDERS, *catalog.OPERATORS)
TOKEN_SECONDS = 20 * 60
TOKEN_SECONDS_MAX = 24 * 60 * 60


def fingerprint(policies: Path) -> str:
    """Changes when this file, the catalogue, the table of arrows or a policy changes; then provisioning runs again."""
    digest = hashlib.sha256(Path(__file__).read_bytes() + Path(catalog.__file__).read_bytes() + TABLE.read_bytes())
    for path in sorted(policies.glob("*.hcl")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def generate_root(addr: str, keys: list[str]) -> str:
    """A root token, made from the unseal keys; the caller revokes it. The one-time pad never leaves this process."""
    with requests.Session() as http:
        http.delete(f"{addr}/v1/sys/generate-root/attempt", timeout=10)
        started = http.put(f"{addr}/v1/sys/generate-root/attempt", json={}, timeout=10)
        started.raise_for_status()
        attempt = started.json()
        answer = attempt
        for key in keys:
            reply = http.put(f"{addr}/v1/sys/generate-root/update", json={"key": key, "nonce": attempt["nonce"]}, timeout=10)
            reply.raise_for_status()
            answer = reply.json()
    encoded = answer["encoded_token"] + "=" * (-len(answer["encoded_token"]) % 4)
    pad = attempt["otp"].encode()
    return bytes(a ^ b for a, b in zip(base64.b64decode(encoded), pad, strict=True)).decode()


def provision(client: hvac.Client, policies: Path, need_secret: set[str]) -> dict[str, tuple[str, str]]:
    """Everything; returns role -> (role id, a new secret id for those in `need_secret`, else "")."""
    _engines(client)
    _keys(client)
    for path in sorted(policies.glob("*.hcl")):
        client.sys.create_or_update_policy(path.stem, path.read_text())
    return {role: _role(client, role, role in need_secret) for role in ROLES}


def _engines(client: hvac.Client) -> None:
    mounts = client.sys.list_mounted_secrets_engines()["data"]
    if "transit/" not in mounts:
        client.sys.enable_secrets_engine("transit")
    if "kept/" not in mounts:
        client.sys.enable_secrets_engine("kv", path="kept", options={"version": "2"})
    if "approle/" not in client.sys.list_auth_methods()["data"]:
        client.sys.enable_auth_method("approle")


def _keys(client: hvac.Client) -> None:
    kinds = dict.fromkeys(catalog.KEKS, "aes256-gcm96") | dict.fromkeys(catalog.SIGNING_KEYS, "ed25519")
    for name, kind in (kinds | dict.fromkeys(catalog.HASH_KEYS, "hmac")).items():
        if client.read(f"transit/keys/{name}") is None:
            size = {"key_size": 32} if kind == "hmac" else {}
            client.write_data(f"transit/keys/{name}", data={"type": kind, "exportable": False, **size})


def _role(client: hvac.Client, role: str, need_secret: bool) -> tuple[str, str]:
    client.write_data(
        f"auth/approle/role/{role}",
        data={"token_policies": [*catalog.policies(role)], "token_ttl": TOKEN_SECONDS, "token_max_ttl": TOKEN_SECONDS_MAX},
    )
    role_id = str(client.read(f"auth/approle/role/{role}/role-id")["data"]["role_id"])
    if not need_secret:
        return role_id, ""
    answer = client.write_data(f"auth/approle/role/{role}/secret-id", data={})
    return role_id, str(answer["data"]["secret_id"])
