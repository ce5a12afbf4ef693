"""How the made-up staff of the demonstration sign in. Their passwords and second factors lie in Vault, under kept/demo."""

import time

import hvac
import pyotp
import requests

from deploy.local import ports as port_file
from deploy.local.errors import Exit, PlatformError
from deploy.local.state import State


def credentials(state: State, name: str) -> dict[str, str | int]:
    """Address, password and the code of this moment for a first name."""
    role = state.read_json(state.run / "demo.role.json")
    port = port_file.load(state).get("vault")
    if role is None or port is None:
        raise PlatformError("not running; `kept demo` starts it", Exit.NOT_RUNNING)
    client = hvac.Client(url=f"http://127.0.0.1:{port}", timeout=10)
    try:
        client.auth.approle.login(str(role["role_id"]), state.secret_id("demo").read_text())
        found = client.read(f"kept/data/demo/{name}") if name.isalpha() else None
        if found is None:
            listed = client.list("kept/metadata/demo")
            names = ", ".join(listed["data"]["keys"]) if listed else "nobody yet; run `kept demo`"
            raise PlatformError(f"there is no {name!r} among the demo's staff: {names}")
    except (requests.RequestException, hvac.exceptions.VaultError, OSError) as error:
        raise PlatformError("Vault does not answer; `kept status` says why", Exit.NOT_READY) from error
    record = found["data"]["data"]
    totp = pyotp.TOTP(record["totp"])
    return {
        "email": str(record["email"]),
        "password": str(record["password"]),
        "code": totp.now(),
        "seconds_left": totp.interval - int(time.time()) % totp.interval,
    }
