"""The audit service refuses to start on a store that does not keep what it is trusted with, and says why in one line."""

import json
import subprocess
import sys
from collections.abc import Iterator

import hvac
import pytest

from deploy.local import environment, vault_provision
from services.audit.storage.open import EX_CONFIG
from tests.support import insider, s3
from tests.support.platform import Platform


def started(platform: Platform, address: str) -> tuple[int, list[dict[str, str]]]:
    """A second audit process on another store: its exit code, and its log lines of refusal."""
    env = {**platform.environment("audit"), "KEPT_HTTP_PORT": str(s3.free_port()), "KEPT_LOG_STORE": address}
    done = subprocess.run(
        [sys.executable, "-m", "services.audit.app"], env=env, cwd=environment.__file__.rsplit("/deploy/", 1)[0],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    said = [json.loads(line) for line in (done.stdout + done.stderr).splitlines() if line.startswith("{")]
    assert "Traceback" not in done.stdout + done.stderr
    return done.returncode, [line for line in said if "refusing to start" in str(line)]


@pytest.fixture
def keys(platform: Platform) -> Iterator[None]:
    """The bucket's keys are in Vault, where an operator puts them."""
    address = platform.environment("audit")["KEPT_VAULT_ADDR"]
    token = vault_provision.generate_root(address, insider.unseal_keys(platform.state)[:2])
    client = hvac.Client(url=address, token=token, timeout=10)
    pair = {"access_key": s3.KEYS.access_key, "secret_key": s3.KEYS.secret_key}
    client.write_data("kept/data/audit/s3", data={"data": pair})
    try:
        yield
    finally:
        client.delete("kept/metadata/audit/s3")
        client.auth.token.revoke_self()


def test_without_keys_in_vault(platform: Platform) -> None:
    code, (said,) = started(platform, "s3://anything?endpoint=http://127.0.0.1:9")
    assert code == EX_CONFIG and "kept/audit/s3 is not in the key service" in str(said)


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize(
    ("bucket", "wanted"),
    [({"lock": False}, "Object Lock is off"), ({"mode": "GOVERNANCE"}, "GOVERNANCE"), ({"years": 1}, "less than 10")],
    ids=["no lock", "governance", "too short"],
)
def test_a_bucket_that_is_not_fit(platform: Platform, s3_server: s3.Server, bucket: dict[str, object], wanted: str) -> None:
    name = s3_server.bucket(**bucket)  # type: ignore[arg-type]  # the cases' own words
    code, (said,) = started(platform, f"s3://{name}/log?endpoint={s3_server.endpoint}&region={s3.REGION}")
    assert code == EX_CONFIG and wanted in str(said) and s3.KEYS.secret_key not in str(said)


@pytest.mark.parametrize("address", ["ftp://a/b", "s3://"])
@pytest.mark.usefixtures("keys")
def test_an_address_that_is_none(platform: Platform, address: str) -> None:
    code, (said,) = started(platform, address)
    assert code == EX_CONFIG and "not the address of a store" in str(said)
