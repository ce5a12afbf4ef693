"""What each service's process is told: `.kept/run/<service>.env`, KEPT_* as in shared/settings.py. No secret in it."""

import json
import re
import secrets
from pathlib import Path

from deploy.local import kafka_jars
from deploy.local import ports as port_file
from deploy.local.catalog import HOLDERS, SECOND
from deploy.local.errors import Exit, NotYetError, PlatformError
from deploy.local.hop import hop_secret, hosts
from deploy.local.postgres_programs import programs
from deploy.local.state import State, write_private

DRAIN_SECONDS = 3.0  # the gateway asks every second, and believes the second no
LOG_NAME_ONCE = "kept.local/log"  # of every state, before each had its own
_LOG_NAME = re.compile(r"kept\.local/log(/[0-9a-f]{8})?\n")


def log_name(state: State) -> str:
    """The name of this platform's log, drawn once and kept with its state.

    Whoever verifies the logs of two platforms, one made after the other was thrown away, must not take them for one. A state
    from before keeps the name that its checkpoints have. PlatformError where the file is damaged.
    """
    file = state.log_name
    if not file.exists():
        begun = state.env_file("audit").exists() or (state.root / "blobs" / "audit" / "log").exists()
        write_private(file, f"{LOG_NAME_ONCE if begun else f'{LOG_NAME_ONCE}/{secrets.token_hex(4)}'}\n")
    text = file.read_text(errors="replace")
    if not _LOG_NAME.fullmatch(text):
        # A log signed under another name than its checkpoints have would be another log to everybody.
        raise PlatformError(f"{file} is damaged: its name stands in the first line of any checkpoint", Exit.STATE_BROKEN)
    return text.strip()


def service_environment(state: State, ports: dict[str, int], service: str) -> dict[str, str]:
    role = state.read_json(state.run / f"{service}.role.json")
    if role is None:
        raise NotYetError("for Vault to be provisioned")
    name = log_name(state)
    blobs = state.root / "blobs" / service
    blobs.mkdir(parents=True, exist_ok=True)
    blobs.parent.chmod(0o711)
    blobs.chmod(0o711 if service == "backup" else 0o700)  # backup's scratch server may run as another user
    if not state.hop_secret(service).exists():
        write_private(state.hop_secret(service), hop_secret(state) + "\n")
    authenticated = kafka_jars.missing_program() is None
    return {
        "KEPT_SERVICE": service,
        "KEPT_HTTP_HOST": "127.0.0.1",
        "KEPT_HTTP_PORT": str(ports[service]),
        "KEPT_PUBLIC_ORIGIN": f"http://localhost:{ports['gateway']}",
        "KEPT_ORIGINS": json.dumps([f"http://{host}" for host in hosts(ports["gateway"])]),
        "KEPT_TRUSTED_PROXIES": '["127.0.0.1/32"]',
        "KEPT_HOP_SECRET_FILE": str(state.hop_secret(service)),
        "KEPT_DATABASE_HOST": "127.0.0.1",
        "KEPT_DATABASE_PORT": str(ports["postgres"]),
        "KEPT_KAFKA_BOOTSTRAP": f"127.0.0.1:{ports['kafka']}",
        "KEPT_KAFKA_SECURITY": "SASL_PLAINTEXT" if authenticated else "PLAINTEXT",
        "KEPT_KAFKA_IDEMPOTENCE": "true" if authenticated else "false",
        "KEPT_VAULT_ADDR": f"http://127.0.0.1:{ports['vault']}",
        "KEPT_VAULT_ROLE_ID": str(role["role_id"]),
        "KEPT_VAULT_SECRET_ID_FILE": str(state.secret_id(service)),
        "KEPT_STATE_DIR": str(blobs),
        "KEPT_LOG_NAME": name,
        "KEPT_JWKS_URL": f"http://127.0.0.1:{ports['identity']}/.well-known/jwks.json",
        "KEPT_SMTP_HOST": "127.0.0.1",
        "KEPT_SMTP_PORT": str(ports["smtp"]),
        "KEPT_PG_BIN": str(programs()),
    }


def own(state: State, service: str) -> tuple[Path, ...]:
    """What of the state is this service's alone."""
    return state.root / "blobs" / service, state.secret_id(service), state.hop_secret(service)


def write(state: State, ports: dict[str, int], service: str, *, second: bool = False) -> dict[str, str]:
    """What a service's process is told, or its `second` one."""
    values = service_environment(state, ports, service)
    if state.twice.exists():
        values |= {
            "KEPT_DRAIN_SECONDS": str(DRAIN_SECONDS),
            # Of whichever identity is there.
            "KEPT_JWKS_URL": f"http://127.0.0.1:{ports['gateway']}/.well-known/jwks.json",
        }
    if second:
        values["KEPT_HTTP_PORT"] = str(ports[SECOND[service]])
    name = SECOND[service] if second else service
    write_private(state.env_file(name), "".join(f"{name}={value}\n" for name, value in values.items()))
    return values


def read(state: State, service: str) -> dict[str, str]:
    """As last written; empty where the platform never ran."""
    try:
        lines = state.env_file(service).read_text().splitlines()
    except FileNotFoundError:
        return {}
    return dict(line.split("=", 1) for line in lines if "=" in line)


def write_all(state: State) -> None:
    ports = port_file.load(state)
    for service in HOLDERS:
        write(state, ports, service)
