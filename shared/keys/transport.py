"""How a request reaches Vault: by urllib3 alone.

`requests`, which hvac takes by itself, looks for proxies, netrc and cookies at every call: longer than the call itself takes.
A proxy of the environment is not used; certificates are, as hvac finds them (`VAULT_CACERT`, `VAULT_CLIENT_CERT`).
"""

import json
from pathlib import Path
from typing import Any

import urllib3
from hvac import utils
from hvac.adapters import JSONAdapter

from shared.errors import InvariantError

# Nothing is asked twice: whoever asks knows whether that is right. A standby sends on to the active node.
_ONCE = urllib3.Retry(total=None, connect=0, read=0, status=0, other=0, redirect=3)
CONNECTIONS_MAX = 32  # as many as there are threads to use them


class Transport(JSONAdapter):  # type: ignore[misc]  # hvac has no types
    """hvac's adapter on a pool of connections of its own. urllib3.exceptions.HTTPError, hvac.exceptions.VaultError."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._pool = urllib3.PoolManager(maxsize=CONNECTIONS_MAX, retries=_ONCE, timeout=self._kwargs["timeout"], **self._tls())

    def _tls(self) -> dict[str, Any]:
        verify, cert = self._kwargs["verify"], self._kwargs["cert"]
        found: dict[str, Any] = {"cert_reqs": "CERT_REQUIRED" if verify else "CERT_NONE"}
        if isinstance(verify, str):
            found["ca_cert_dir" if Path(verify).is_dir() else "ca_certs"] = verify
        if cert:
            found["cert_file"], found["key_file"] = cert
        return found

    def request(
        self, method: str, url: str, headers: dict[str, str] | None = None, raise_exception: bool = True, **kwargs: Any
    ) -> Any:
        """The answer's JSON where it is one, else urllib3's answer. InvariantError for what is not sent from here."""
        if unknown := [name for name, value in kwargs.items() if value and name != "json"]:
            raise InvariantError(f"a request to Vault with {', '.join(unknown)}")
        whole = self.urljoin(self.base_uri, url)
        sent = {**(headers or {}), "X-Vault-Request": "true", "Content-Type": "application/json"}
        if self.token:
            sent["X-Vault-Token"] = self.token
        body = json.dumps(kwargs["json"]).encode() if kwargs.get("json") is not None else None
        answer = self._pool.urlopen(method.upper(), whole, headers=sent, body=body)
        if answer.status >= 400 and raise_exception:
            utils.raise_for_error(method, whole, answer.status, errors=_errors(answer.data))
        return json.loads(answer.data) if answer.status == 200 and answer.data else answer


def _errors(body: bytes) -> list[str] | None:
    try:
        found = json.loads(body)
    except ValueError:
        return None
    return found.get("errors") if isinstance(found, dict) else None
