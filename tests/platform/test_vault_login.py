"""A service shows Vault who it is by a token that somebody else vouches for, as a cluster does: at the real key service, with a
key of the test's own in the place of the cluster's."""

import time
from collections.abc import Iterator
from pathlib import Path

import hvac
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from deploy.local import vault_provision
from shared.errors import UnavailableError
from shared.keys.login import Jwt, login_of
from shared.keys.vault import Vault
from shared.settings import ServiceSettings
from tests.support.insider import unseal_keys
from tests.support.platform import Platform

pytestmark = pytest.mark.platform
MOUNT, AUDIENCE, SUBJECT = "cluster", "vault", "system:serviceaccount:kept:customers"
KEY = ECKey.generate_key("P-256")


@pytest.fixture(scope="module")
def address(platform: Platform) -> Iterator[str]:
    """The method is mounted, and customers' ServiceAccount has customers' policies."""
    address = platform.environment("customers")["KEPT_VAULT_ADDR"]
    root = hvac.Client(url=address, token=vault_provision.generate_root(address, unseal_keys(platform.state)[:2]), timeout=10)
    root.sys.enable_auth_method("jwt", path=MOUNT)
    public = KEY.as_pem(private=False).decode()
    root.auth.jwt.configure(path=MOUNT, jwt_validation_pubkeys=[public])
    root.auth.jwt.create_role(
        "customers", path=MOUNT, role_type="jwt", user_claim="sub", bound_audiences=[AUDIENCE], bound_subject=SUBJECT,
        allowed_redirect_uris=[], token_policies=["customers", "public-keys"], token_ttl=1200,
    )  # fmt: skip
    yield address
    root.sys.disable_auth_method(MOUNT)
    root.auth.token.revoke_self()


def projected(file: Path, *, subject: str = SUBJECT, audience: str = AUDIENCE, seconds: int = 600) -> Path:
    """As a kubelet writes it."""
    now = int(time.time())
    claims = {"sub": subject, "aud": [audience], "iat": now - 700, "nbf": now - 700, "exp": now + seconds}
    file.write_text(jwt.encode({"alg": "ES256"}, claims, KEY) + "\n")
    return file


def vault(address: str, file: Path) -> Vault:
    return Vault(address, Jwt(MOUNT, "customers", file))


async def test_the_token_of_its_serviceaccount_lets_a_service_in(address: str, tmp_path: Path) -> None:
    mine = vault(address, projected(tmp_path / "token"))
    (wrapped,) = await mine.encrypt("kept-customers", [b"x"])
    assert await mine.decrypt("kept-customers", [wrapped]) == [b"x"]
    with pytest.raises(UnavailableError):
        await mine.decrypt("kept-identity", [wrapped])


@pytest.mark.parametrize(
    "wrong", [{"subject": "system:serviceaccount:kept:audit"}, {"audience": "somebody"}, {"seconds": -300}], ids=str
)
async def test_anothers_token_and_one_that_ran_out_do_not(address: str, tmp_path: Path, wrong: dict[str, str | int]) -> None:
    file = projected(tmp_path / "token", **wrong)  # type: ignore[arg-type]  # one of them at a time
    with pytest.raises(UnavailableError, match="does not let this service in") as caught:
        await vault(address, file).login()
    assert file.read_text().strip() not in str(caught.value)


async def test_a_renewed_token_is_taken_without_a_restart(address: str, tmp_path: Path) -> None:
    mine = vault(address, projected(tmp_path / "token", seconds=-300))
    with pytest.raises(UnavailableError):
        await mine.encrypt("kept-customers", [b"x"])
    projected(tmp_path / "token")
    assert await mine.encrypt("kept-customers", [b"x"])


async def test_without_the_file_it_says_so(address: str, tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="nothing to show"):
        await vault(address, tmp_path / "token").login()


def test_the_settings_choose() -> None:
    kubernetes = ServiceSettings(service="audit", vault_auth="kubernetes", vault_token_file=Path("t"))
    assert login_of(kubernetes) == Jwt("kubernetes", "audit", Path("t"))
    elsewhere = ServiceSettings(service="audit", vault_auth="jwt", vault_auth_mount="eu/jwt", vault_role="kept-audit")
    assert login_of(elsewhere) == Jwt("eu/jwt", "kept-audit", Path("/var/run/secrets/kept/vault-token"))
