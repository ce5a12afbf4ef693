"""docker-compose.yml follows the Compose Specification, and keeps the house's rules about containers.

No container engine is assumed: what is checked here is the file.
"""

import json
import re
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from jsonschema import Draft202012Validator

from deploy.gateway import config
from deploy.local.gateway import program
from services.audit.settings import AuditSettings
from services.backup.settings import BackupSettings
from services.customers.settings import CustomersSettings
from services.dsar.settings import DsarSettings
from services.identity.settings import IdentitySettings
from shared.blobs.open import YEARS
from shared.settings import ServiceSettings
from tests.support.tools import VERSITYGW

ROOT = Path(__file__).parents[2]
SERVICES = ("identity", "customers", "audit", "backup", "dsar")
SCHEMA = json.loads((ROOT / "tests/vectors/compose-spec/compose-spec.json").read_text())
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())


def test_it_follows_the_compose_specification() -> None:
    assert [e.message for e in Draft202012Validator(SCHEMA).iter_errors(COMPOSE)] == []


def test_the_schema_would_find_a_mistake() -> None:
    broken = {**COMPOSE, "services": {"identity": {"image": "kept", "read_onyl": True}}}
    assert list(Draft202012Validator(SCHEMA).iter_errors(broken))


@pytest.mark.parametrize("name", [*SERVICES, "setup"])
def test_a_service_can_do_little(name: str) -> None:
    service = COMPOSE["services"][name]
    assert service["read_only"] is True and service["cap_drop"] == ["ALL"] and service["user"] == "65532:65532"
    assert "no-new-privileges:true" in service["security_opt"]
    assert "ports" not in service and service["networks"] == ["inside"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_sees_its_own_credentials_and_state_alone(name: str) -> None:
    service = COMPOSE["services"][name]
    assert service["volumes"] == [f"{name}-credentials:/run/kept:ro", f"{name}:/var/lib/kept"]
    assert service["environment"]["KEPT_SERVICE"] == name
    assert service["command"] == ["python", "-m", f"services.{name}.app"]
    assert service["environment"]["KEPT_VAULT_ROLE_ID"] == f"kept-{name}"
    assert "secrets" not in service


# What a person has no say in: the directory of the image's programs, and who runs them there.
OF_THE_IMAGE = {"KEPT_PG_BIN", "KEPT_PG_OS_USER"}


@pytest.mark.parametrize("settings", [AuditSettings, BackupSettings, CustomersSettings, DsarSettings, IdentitySettings])
def test_every_setting_of_a_service_can_be_set(settings: type[ServiceSettings]) -> None:
    """From the shell or a file, without an edit of docker-compose.yml; and what nobody sets has its default."""
    name = settings.__name__.removesuffix("Settings").lower()
    given = COMPOSE["services"][name]["environment"]
    own = {f"KEPT_{field.upper()}" for field in set(settings.model_fields) - set(ServiceSettings.model_fields)}
    assert own - OF_THE_IMAGE - set(given) == set(), "settings that docker-compose.yml does not pass on"
    for setting in own & set(given):
        passed = re.fullmatch(r"\$\{(KEPT_[A-Z_]+):-.*\}", str(given[setting]))
        assert not passed or passed[1] in (setting, setting.replace("KEPT_", f"KEPT_{name.upper()}_")), setting


def test_settings_that_nobody_set_have_their_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Compose hands them over: empty."""
    for setting, value in COMPOSE["services"]["audit"]["environment"].items():
        found = re.fullmatch(r"\$\{KEPT_[A-Z_]+:-(.*)\}", str(value))
        monkeypatch.setenv(setting, found[1] if found else str(value))
    audit = AuditSettings()
    assert audit.witness_policy is None and audit.log_name == "kept.local/log" and audit.log_retention_years == YEARS


def test_audit_reaches_its_witnesses_and_nobody_else_gets_out() -> None:
    more = yaml.safe_load((ROOT / "deploy/compose/witnesses.yml").read_text())
    assert [e.message for e in Draft202012Validator(SCHEMA).iter_errors(more)] == []
    assert more["services"].keys() == {"audit"} and more["services"]["audit"]["networks"] == ["inside", "outside"]
    assert "ports" not in more["services"]["audit"]


def test_published_ports_are_local() -> None:
    ports = [port for service in COMPOSE["services"].values() for port in service.get("ports", [])]
    assert ports and all(port.startswith("127.0.0.1:") for port in ports)
    assert COMPOSE["networks"]["inside"]["internal"] is True


def test_the_log_lies_in_the_store_that_the_tests_run_against() -> None:
    image, tag = COMPOSE["services"]["s3"]["image"].split(":")
    assert (image.rsplit("/", 1)[1], tag) == (VERSITYGW.name, VERSITYGW.version)
    address = urlsplit(COMPOSE["services"]["audit"]["environment"]["KEPT_LOG_STORE"])
    assert address.scheme == "s3" and parse_qs(address.query)["endpoint"] == ["http://s3:7070"]
    assert "s3" not in COMPOSE["services"]["audit"].get("secrets", [])  # its keys come from OpenBao


def test_images_are_pinned_and_no_password_is_written() -> None:
    for name, service in COMPOSE["services"].items():
        assert re.search(r":v?[A-Z]*\.?\d", service["image"]), f"{name}: no version"
        for key, value in service.get("environment", {}).items():
            assert "PASSWORD" not in key or str(value).startswith("/run/secrets/"), f"{name}: {key}"


def test_every_file_that_is_mounted_is_there() -> None:
    for service in COMPOSE["services"].values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert (ROOT / source).exists() if source.startswith("./") else source in COMPOSE["volumes"], volume


def test_the_image_is_pinned_by_digest_and_not_root() -> None:
    stages = re.split(r"^FROM ", (ROOT / "deploy/images/Dockerfile").read_text(), flags=re.MULTILINE)[1:]
    names = {re.search(r" AS (\S+)", stage)[1] for stage in stages}  # type: ignore[index]  # each stage is named
    for stage in stages:
        base = stage.split()[0]
        assert base in names or re.search(r"@sha256:[0-9a-f]{64}$", base), f"{base} is not pinned"
    for final in ("backup", "service"):
        (stage,) = [s for s in stages if f" AS {final}\n" in s]
        assert "USER 65532:65532" in stage


def test_the_gateway_knows_every_service() -> None:
    text = (ROOT / "deploy/compose/haproxy.cfg").read_text()
    assert set(re.findall(r"server [a-z]+ ([a-z]+):8000 ", text)) == set(SERVICES)


def test_the_gateway_of_the_containers_is_the_one_that_the_tests_run() -> None:
    """Its page is written by the same code, and its image is of the same version: `python -m deploy.gateway.config`."""
    assert (ROOT / "deploy/compose/haproxy.cfg").read_text() == config.config(config.COMPOSE)
    version = re.search(r"HAProxy version (\S+?)-", subprocess.run([program(), "-v"], capture_output=True, text=True).stdout)
    assert version and COMPOSE["services"]["gateway"]["image"] == f"haproxy:{version[1]}-alpine"


def test_what_a_container_runs_exists() -> None:
    for service in COMPOSE["services"].values():
        if service.get("command", [])[:2] == ["python", "-m"]:
            assert (ROOT / (service["command"][2].replace(".", "/") + ".py")).exists(), service["command"]


def test_every_service_has_a_policy_and_a_broker_user() -> None:
    users = (ROOT / "deploy/compose/secrets.sh").read_text()
    for name in SERVICES:
        assert (ROOT / f"deploy/vault/{name}.hcl").exists()
        assert f" {name} " in users
