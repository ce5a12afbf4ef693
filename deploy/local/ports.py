"""Ports: chosen free once, remembered, and chosen again where somebody else took one meanwhile.

Only the public one (8080, or KEPT_PORT) is promised to people, so only that one can be "taken".
"""

import asyncio
import json
import os
import random
import socket

from deploy.local.catalog import SECOND
from deploy.local.errors import Exit, PlatformError
from deploy.local.state import State, write_private

GATEWAY_DEFAULT = 8080
# Below the range from which Linux takes ports for outgoing connections, so that those do not take ours.
FIRST, LAST = 20_000, 32_000
NAMES = (
    "postgres", "vault", "vault_cluster", "kafka", "kafka_controller", "identity", "customers", "audit", "backup",
    "dsar", "billing", "mail", "smtp", *SECOND.values(),
)  # fmt: skip


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


async def answers(port: int) -> bool:
    """Whether somebody listens there."""
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port), timeout=2)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


def gateway_port() -> int:
    text = os.environ.get("KEPT_PORT") or str(GATEWAY_DEFAULT)
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise PlatformError(f"KEPT_PORT is not a port number: {text!r}", Exit.FAILED)
    return int(text)


def load(state: State) -> dict[str, int]:
    """The ports as remembered; empty before the first start."""
    value = state.read_json(state.root / "ports.json") or {}
    return {name: port for name, port in value.items() if isinstance(port, int)}


def choose(state: State) -> dict[str, int]:
    """Called with everything of ours stopped: a remembered port that is not free now belongs to someone else."""
    gateway = gateway_port()
    if not is_free(gateway):
        raise PlatformError(
            f"port {gateway} is taken by another program; stop it, or choose another: KEPT_PORT=8081 kept up",
            Exit.PORT_TAKEN,
        )
    ports = load(state)
    for name in NAMES:
        taken = {port for other, port in ports.items() if other != name} | {gateway}
        while (port := ports.get(name, 0)) in taken or not port or not is_free(port):
            ports[name] = random.randrange(FIRST, LAST)  # noqa: S311  any free port will do
    ports["gateway"] = gateway
    write_private(state.root / "ports.json", json.dumps(ports, indent=1, sort_keys=True) + "\n")
    return ports
