"""How the local gateway is known: to browsers by its hosts, to services by a secret. Read by commands that ask nothing."""

import secrets

from deploy.local.state import State, write_private


def hop_secret(state: State) -> str:
    """By which services know the gateway from any other program of this machine; drawn once, and each has a copy to read."""
    file = state.hop_secret("gateway")
    if not file.exists():
        write_private(file, secrets.token_hex(16) + "\n")
    return file.read_text().strip()


def hosts(port: int) -> tuple[str, ...]:
    """Under which this machine's own browsers may ask for it."""
    return (f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}")
