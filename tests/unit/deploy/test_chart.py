"""The Helm chart, as it is rendered: what holds of every object, with the least and with all that can be said. No cluster."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.arrows.table import Arrow, table
from deploy.gateway.routes import FRONT, ROUTES
from deploy.helm.schema import KEEPS_FILES, SAID, SETTINGS, UNUSED, parties, schema
from deploy.helm.write import files
from shared.http.address import INSIDE
from shared.http.app import create_app
from shared.service import SHUTDOWN_SECONDS
from shared.settings import ServiceSettings
from shared.telemetry import FLUSH_MILLISECONDS_MAX
from tests.support.helm import CHART, EXAMPLE, NAMESPACE, ROOT, RefusedError, helm, rendered

Object = dict[str, Any]
DEFAULTS: Object = yaml.safe_load((CHART / "values.yaml").read_text())
OF_LIBRARIES = {  # names in the environment that are no setting of ours, and who reads them
    "OTEL_EXPORTER_OTLP_ENDPOINT": "shared/telemetry.py",
    "VAULT_CACERT": "shared/keys/transport.py",
}
PEERS: Mapping[str, list[Object]] = {
    party: [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": party}}}] for party in parties()
}
EVERYTHING: Object = {
    "images": {"pullSecrets": ["pull"], "pullPolicy": "Always"},
    "origins": ["https://other.example.org"],
    "settings": {"KEPT_DATA_KEYS_CACHED": 2_000_000, "KEPT_TOKEN_MINUTES_MAX": 90, "KEPT_DATABASE_USER": "some_role"},
    "postgres": {"port": 5433},
    "kafka": {"security": "SASL_PLAINTEXT"},
    "vault": {"auth": "jwt", "mount": "cluster-a", "audience": "openbao", "tokenSeconds": 1200},
    "mail": {"tls": "tls", "port": 465, "caSecret": {"name": "mail-ca", "key": "root.pem"}},
    "telemetry": {"endpoint": "http://otel:4318"},
    "defaults": {
        "drainSeconds": 60, "nodeSelector": {"disk": "fast"}, "podAnnotations": {"a": "b"},
        "tolerations": [{"key": "a", "operator": "Exists"}],
    },
    "services": {
        "identity": {"autoscaling": {"enabled": True}, "settings": {"KEPT_SESSION_MINUTES": 30}},
        "customers": {"replicas": 3, "settings": {"KEPT_PAGE_ROWS": 50}},
        "audit": {"settings": {"KEPT_SCRUB_HOURS": 0, "KEPT_LEDGER_SECONDS": 1.5, "KEPT_WITNESSES": ""}},
        "backup": {"settings": {"KEPT_HOLDERS": {"billing": "billing.events"}}},
        "dsar": {"settings": {"KEPT_PLACE": "DE", "KEPT_HOLDERS": ["identity", "billing"], "KEPT_SECTOR_LAWS": ["us-hipaa"]}},
    },
    "ingress": {"annotations": {"a": "b"}},
    "httpRoute": {"enabled": True, "parentRefs": [{"name": "gateway"}]},
    "network": {party: {"peers": peers} for party, peers in PEERS.items()},
    "metrics": {"serviceMonitor": True, "rules": True, "labels": {"release": "prometheus"}},
}  # fmt: skip
DISK: Object = {
    "services": {"audit": {"replicas": 1, "settings": {"KEPT_LOG_STORE": ""}, "files": {"storageClass": "local"}}},
    "network": {"prometheus": {"peers": PEERS["prometheus"]}},
}
SETS: Mapping[str, Object] = {"the least": {}, "everything": EVERYTHING, "the log on a disk": DISK}
every_set = pytest.mark.parametrize("name", SETS)


@cache
def objects(name: str) -> list[Object]:
    return rendered(EXAMPLE, SETS[name])


def values(name: str) -> Object:
    return merged(merged(DEFAULTS, yaml.safe_load(EXAMPLE.read_text())), SETS[name])


def merged(under: Object, over: Object) -> Object:
    both = {key: merged(under[key], over[key]) for key in under.keys() & over.keys() if isinstance(over[key], dict)}
    return {**under, **over, **both}


def of_kind(name: str, kind: str) -> dict[str, Object]:
    found = [one for one in objects(name) if one["kind"] == kind]
    assert len({one["metadata"]["name"] for one in found}) == len(found)
    return {one["metadata"]["name"]: one for one in found}


def services(name: str) -> Iterator[tuple[str, Object, Mapping[str, str]]]:
    """Of each service: its name, its Deployment, and what its container is told."""
    deployments, told = of_kind(name, "Deployment"), of_kind(name, "ConfigMap")
    assert deployments.keys() == {f"kept-{service}" for service in table().of_kind("service")}
    for full, one in deployments.items():
        (container,) = one["spec"]["template"]["spec"]["containers"]
        (source,) = container["envFrom"]
        assert "env" not in container
        yield full.removeprefix("kept-"), one, told[source["configMapRef"]["name"]]["data"]


# -- it is whole -------------------------------------------------------------------------------------------------------


def test_what_is_made_of_the_code_is_as_it_stands_here() -> None:
    """`make arrows` writes it."""
    for path, text in files().items():
        assert path.read_text() == text, path.name


def test_helm_finds_nothing_to_say() -> None:
    assert "0 chart(s) failed" in helm("lint", "--strict", str(CHART), "--values", str(EXAMPLE))


@every_set
def test_every_object_is_of_this_release_and_is_said_once(name: str) -> None:
    seen = Counter((one["kind"], one["metadata"]["name"]) for one in objects(name))
    assert max(seen.values()) == 1
    for one in objects(name):
        assert one["metadata"]["labels"]["app.kubernetes.io/instance"] == "kept"
        assert one["metadata"].get("namespace", NAMESPACE) == NAMESPACE


@every_set
def test_what_selects_pods_selects_those_of_its_name(name: str) -> None:
    pods = {full: one["spec"]["template"]["metadata"]["labels"] for full, one in of_kind(name, "Deployment").items()}

    def selected(by: Mapping[str, str]) -> set[str]:
        return {full for full, labels in pods.items() if by.items() <= labels.items()}

    for full, one in of_kind(name, "Deployment").items():
        assert selected(one["spec"]["selector"]["matchLabels"]) == {full}
        for spread in one["spec"]["template"]["spec"]["topologySpreadConstraints"]:
            assert selected(spread["labelSelector"]["matchLabels"]) == {full}
    for full, one in of_kind(name, "Service").items():
        assert selected(one["spec"]["selector"]) == {full}
    for full, one in of_kind(name, "PodDisruptionBudget").items():
        assert selected(one["spec"]["selector"]["matchLabels"]) == {full}
    for one in of_kind(name, "HorizontalPodAutoscaler").values():
        scaled = of_kind(name, "Deployment")[one["spec"]["scaleTargetRef"]["name"]]
        assert "replicas" not in scaled["spec"]
    for one in of_kind(name, "ServiceMonitor").values():
        by = one["spec"]["selector"]["matchLabels"].items()
        assert all(by <= service["metadata"]["labels"].items() for service in of_kind(name, "Service").values())
    assert of_kind(name, "Service").keys() == of_kind(name, "PodDisruptionBudget").keys() == pods.keys()


# -- a Pod can do little -----------------------------------------------------------------------------------------------

# Pod Security Standards, `restricted`: the volumes that it allows, and what no Pod says.
VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
OF_THE_HOST = {"hostNetwork", "hostPID", "hostIPC"}


@every_set
def test_every_pod_is_restricted(name: str) -> None:
    for service, one, _ in services(name):
        pod = one["spec"]["template"]["spec"]
        assert not pod.keys() & OF_THE_HOST and not pod.keys() & {"initContainers", "ephemeralContainers"}, service
        security = pod["securityContext"]
        assert security["runAsNonRoot"] is True and security["runAsUser"] == security["runAsGroup"] == 65532, service
        assert security["seccompProfile"] == {"type": "RuntimeDefault"} and "sysctls" not in security, service
        for volume in pod["volumes"]:
            assert len(volume.keys() & VOLUMES) == 1 and len(volume) == 2, (service, volume)
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
            }, service  # fmt: skip
            assert all("hostPort" not in port for port in container["ports"]), service
            assert container["resources"]["limits"]["memory"] and container["resources"]["requests"]["cpu"], service


@every_set
def test_no_pod_has_a_token_of_the_cluster_and_each_has_one_for_vault_alone(name: str) -> None:
    accounts = of_kind(name, "ServiceAccount")
    assert all(account["automountServiceAccountToken"] is False for account in accounts.values())
    used = []
    for service, one, told in services(name):
        pod = one["spec"]["template"]["spec"]
        assert pod["automountServiceAccountToken"] is False, service
        used.append(pod["serviceAccountName"])
        tokens = [volume for volume in pod["volumes"] if "projected" in volume]
        (source,) = tokens[0]["projected"]["sources"]
        assert source["serviceAccountToken"]["audience"] == values(name)["vault"]["audience"] and len(tokens) == 1
        (mount,) = (mount for mount in pod["containers"][0]["volumeMounts"] if mount["name"] == tokens[0]["name"])
        assert told["KEPT_VAULT_TOKEN_FILE"] == f"{mount['mountPath']}/{source['serviceAccountToken']['path']}"
    assert sorted(used) == sorted(accounts)


@every_set
def test_what_is_mounted_is_there_and_what_is_a_file_is_mounted(name: str) -> None:
    claims = of_kind(name, "PersistentVolumeClaim")
    for service, one, told in services(name):
        pod = one["spec"]["template"]["spec"]
        mounts = {mount["mountPath"]: mount["name"] for mount in pod["containers"][0]["volumeMounts"]}
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        assert sorted(mounts.values()) == sorted(volumes), service
        assert volumes[mounts["/tmp"]]["emptyDir"]["medium"] == "Memory"
        for told_name, value in told.items():
            if told_name.endswith(("_FILE", "_DIR", "CACERT")):
                assert any(value == place or value.startswith(f"{place}/") for place in mounts), (service, told_name)
        for volume in volumes.values():
            if "persistentVolumeClaim" in volume:
                claim = claims.pop(volume["persistentVolumeClaim"]["claimName"])
                assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
                assert one["spec"]["replicas"] == 1 and one["spec"]["strategy"] == {"type": "Recreate"}, service
            elif "persistentVolumeClaim" not in str(pod["volumes"]):
                rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
                assert one["spec"]["strategy"] == rolling, service
    assert not claims


def test_the_log_is_on_a_disk_where_it_is_in_no_bucket() -> None:
    assert of_kind("the least", "PersistentVolumeClaim").keys() == {"kept-backup"}
    assert of_kind("the log on a disk", "PersistentVolumeClaim").keys() == {"kept-backup", "kept-audit"}


# -- it starts and stops -----------------------------------------------------------------------------------------------


@every_set
def test_probes_ask_what_the_app_answers_by_any_name(name: str) -> None:
    app = create_app(service="x", settings=ServiceSettings(service="x"), verifier=None, routers=[], lifespan=None, readiness={})
    paths = {route.path for route in app.routes if hasattr(route, "path")} | {
        route.path for inner in app.routes for route in getattr(getattr(inner, "original_router", None), "routes", ())
    }
    for service, one, _ in services(name):
        container = one["spec"]["template"]["spec"]["containers"][0]
        asked = {kind: container[kind]["httpGet"] for kind in ("startupProbe", "readinessProbe", "livenessProbe")}
        assert {kind: get["path"] for kind, get in asked.items()} == {
            "startupProbe": "/livez", "readinessProbe": "/readyz", "livenessProbe": "/livez",
        }, service  # fmt: skip
        assert {get["path"] for get in asked.values()} <= paths & INSIDE
        assert {get["port"] for get in asked.values()} == {port["name"] for port in container["ports"]}
    for one in of_kind(name, "ServiceMonitor").values():
        assert {endpoint["path"] for endpoint in one["spec"]["endpoints"]} <= paths & INSIDE


@every_set
def test_a_pod_has_time_to_stop(name: str) -> None:
    for service, one, told in services(name):
        seconds = float(told["KEPT_DRAIN_SECONDS"]) + SHUTDOWN_SECONDS + FLUSH_MILLISECONDS_MAX / 1000
        assert one["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] > seconds + 10, service


@every_set
def test_what_a_pod_runs_is_its_service(name: str) -> None:
    images = values(name)["images"]
    for service, one, _ in services(name):
        (container,) = one["spec"]["template"]["spec"]["containers"]
        assert container["command"] == ["python", "-m", f"services.{service}.app"]
        assert (ROOT / "services" / service / "app.py").exists()
        assert container["image"] == images["backup" if service == "backup" else "service"]


# -- what a service is told --------------------------------------------------------------------------------------------


def test_every_setting_is_said_by_the_chart_or_offered_or_of_no_use_on_a_cluster() -> None:
    known = {field for one in SETTINGS.values() for field in one.model_fields}
    assert known >= SAID | UNUSED and not SAID & UNUSED
    offered = schema()["properties"]["services"]["properties"]
    for service, settings in SETTINGS.items():
        names = offered[service]["properties"]["settings"]["properties"]
        assert names.keys() == {f"KEPT_{field.upper()}" for field in settings.model_fields.keys() - SAID - UNUSED}
    assert {said for name in SETS for _, _, told in services(name) for said in fields(told)} & SAID == SAID


def fields(told: Mapping[str, str]) -> set[str]:
    return {name.removeprefix("KEPT_").lower() for name in told}


@every_set
def test_a_service_takes_all_that_it_is_told(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for service, _, told in services(name):
        kind = SETTINGS[service]
        assert fields({one: "" for one in told if one not in OF_LIBRARIES}) <= kind.model_fields.keys(), service
        assert all(isinstance(value, str) for value in told.values())
        with monkeypatch.context() as environment:
            for one, value in told.items():
                environment.setenv(one, value)
            taken = kind()  # type: ignore[call-arg]  # from the environment
        given = values(name)
        asked = {**given["settings"], **given["services"][service]["settings"]}
        for one, value in asked.items():
            if value != "":
                found = getattr(taken, one.removeprefix("KEPT_").lower())
                assert (list(found) if isinstance(found, tuple) else found) == value, (service, one)
        assert taken.service == service and taken.http_host == "0.0.0.0" and taken.http_port == 8000
        assert taken.public_origin == given["publicOrigin"] and list(taken.trusted_proxies) == given["trustedProxies"]
        assert taken.database_host == given["postgres"]["host"] and taken.vault_addr == given["vault"]["address"]
        assert taken.jwks_url == "http://kept-identity:8000/.well-known/jwks.json"
        assert taken.hosts == (f"kept-{service}:8000",) and f"kept-{service}" in of_kind(name, "Service")
        assert told.get("KEPT_LOG_URL") == ("http://kept-audit:8000" if service == "backup" else None)


def test_what_is_no_setting_of_ours_is_read_there() -> None:
    for name, place in OF_LIBRARIES.items():
        assert name in (ROOT / place).read_text()


# -- who may reach whom ------------------------------------------------------------------------------------------------

HERE: Mapping[str, Callable[[Arrow, Mapping[str, str], Object], bool]] = {  # `where` of the table -> whether it is so
    "": lambda arrow, told, given: True,
    "KEPT_LOG_STORE or the place of the sets is a bucket": lambda arrow, told, given: "s3://" in told.get("KEPT_LOG_STORE", ""),
    "KEPT_WITNESSES names them": lambda arrow, told, given: bool(told.get("KEPT_WITNESSES")),
    "OTEL_EXPORTER_OTLP_ENDPOINT is set": lambda arrow, told, given: bool(given["telemetry"]["endpoint"]),
    "it is there": lambda arrow, told, given: bool(given["network"]["prometheus"]["peers"]),
}


@every_set
def test_each_arrow_of_a_pod_has_one_allow_and_nothing_else_is_allowed(name: str) -> None:
    given, of = values(name), table()
    told = {service: told for service, _, told in services(name)}
    arrows = [one for one in of.arrows if HERE[one.where](one, told.get(one.source, {}), given)]
    out = Counter((one.source, one.target) for one in arrows if one.source in told)
    into = Counter((one.source, one.target) for one in arrows if one.target in told)
    policies = of_kind(name, "NetworkPolicy")
    for service in told:
        spec = policies.pop(f"kept-{service}")["spec"]
        assert party_of({"podSelector": spec["podSelector"]}, given) == service
        assert spec["policyTypes"] == ["Ingress", "Egress"]
        for rule in spec["egress"]:
            party = party_at(rule["to"], given)
            out[service, party] -= 1
            wanted = [8000] if party in told else given["network"][party]["ports"]
            assert rule["ports"] == [{"protocol": "TCP", "port": port} for port in wanted]
        for rule in spec["ingress"]:
            into[party_at(rule["from"], given), service] -= 1
            assert rule["ports"] == [{"protocol": "TCP", "port": 8000}]
    assert not {end: count for end, count in (out | into).items() if count}, "an arrow without one allow"
    assert not {end: count for both in (out, into) for end, count in both.items() if count}, "not each arrow once"
    (deny,) = policies.values()
    only_names = [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]
    assert deny["spec"]["policyTypes"] == ["Ingress", "Egress"] and "ingress" not in deny["spec"]
    assert deny["spec"]["egress"] == [{"to": given["network"]["dns"]["peers"], "ports": only_names}]
    everyone = deny["spec"]["podSelector"]["matchLabels"].items()
    assert all(everyone <= one["spec"]["template"]["metadata"]["labels"].items() for _, one, _ in services(name))


def party_at(peers: list[Object], given: Object) -> str:
    """Who they are; an empty list would be everybody."""
    assert peers
    for party in parties():
        if peers == given["network"][party]["peers"]:
            return party
    (peer,) = peers
    return party_of(peer, given)


def party_of(peer: Object, given: Object) -> str:
    """A service of ours, in the same namespace."""
    labels = peer["podSelector"]["matchLabels"]
    component = str(labels["app.kubernetes.io/component"])
    assert peer.keys() == {"podSelector"} and labels == {
        "app.kubernetes.io/name": "kept", "app.kubernetes.io/instance": "kept", "app.kubernetes.io/component": component,
    }  # fmt: skip
    return component


def test_every_party_of_the_table_has_its_place_in_the_values() -> None:
    assert DEFAULTS["network"].keys() - {"enabled", "dns"} == parties().keys()
    assert DEFAULTS["services"].keys() == {*table().of_kind("service")} == SETTINGS.keys()
    assert {name for name, one in DEFAULTS["services"].items() if "files" in one} == {*KEEPS_FILES}


def test_without_network_policies_nobody_must_say_where_the_stores_are() -> None:
    given = {"network": {"enabled": False, **{party: {"peers": []} for party in parties()}}}
    assert not [one for one in rendered(EXAMPLE, given) if one["kind"] == "NetworkPolicy"]


@every_set
def test_routes_are_those_of_the_gateway(name: str) -> None:
    wanted = {(FRONT[0], "Exact", FRONT[1])} | {
        (path, "Prefix", service) for service, paths in ROUTES.items() for path in paths
    }  # fmt: skip
    (ingress,) = of_kind(name, "Ingress").values()
    (rule,) = ingress["spec"]["rules"]
    assert rule["host"] == "kept.example.org" and ingress["spec"]["tls"][0]["hosts"] == ["kept.example.org"]
    found = [(one["path"], one["pathType"], one["backend"]["service"]["name"]) for one in rule["http"]["paths"]]
    assert sorted(found) == sorted((path, kind, f"kept-{service}") for path, kind, service in wanted)
    for route in of_kind(name, "HTTPRoute").values():
        matched = [
            (match["path"]["value"], match["path"]["type"].removeprefix("Path"), backend["name"])
            for one in route["spec"]["rules"]
            for match in one["matches"]
            for backend in one["backendRefs"]
        ]
        assert sorted(matched) == sorted(found)


# -- what is refused ---------------------------------------------------------------------------------------------------


def test_no_object_of_the_schema_takes_what_it_does_not_know() -> None:
    def walk(at: Any, where: str) -> Iterator[str]:
        if isinstance(at, dict):
            if "properties" in at and isinstance(at["properties"], dict) and at.get("additionalProperties") is not False:
                yield where
            for key, inner in at.items():
                yield from walk(inner, f"{where}/{key}")

    assert list(walk(json.loads((CHART / "values.schema.json").read_text()), "")) == []


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ("imagez.service=a", "imagez"),
        ("services.audit.settings.KEPT_LOGSTORE=s3://a", "KEPT_LOGSTORE"),
        ("services.identity.settings.KEPT_LOG_STORE=s3://a", "KEPT_LOG_STORE"),
        ("services.audit.settings.KEPT_LOG_STORE=/somewhere", "KEPT_LOG_STORE"),
        ("services.identity.settings.KEPT_SESSION_MINUTES=721", "KEPT_SESSION_MINUTES"),
        ("services.dsar.files.size=1Gi", "files"),
        ("settings.KEPT_VAULT_ADDR=http://a", "KEPT_VAULT_ADDR"),
        ("defaults.drainSeconds=61", "drainSeconds"),
        ("postgres.password=secret", "password"),
        ("network.vault.peers[0].cidr=10.0.0.0/8", "cidr"),
        # Each of these would open more than it says.
        ("network.vault.ports=null", "ports"),
        ("network.vault.peers[0]=null", "peers"),
        ("network.dns.peers=null", "peers"),
        ("network.dns.peers=[]", "peers"),
    ],
)
def test_what_nobody_understands_is_refused(wrong: str, named: str) -> None:
    with pytest.raises(RefusedError) as error:
        rendered(EXAMPLE, options=("--set-json" if wrong.endswith(("null", "[]")) else "--set", wrong))
    said = str(error.value)
    assert "values don't meet the specifications of the schema" in said and named in said


def test_all_that_is_missing_is_said_at_once() -> None:
    with pytest.raises(RefusedError) as error:
        rendered()
    said = re.findall(r"^  ([\w.]+): ", str(error.value), re.M)
    text = (CHART / "values.yaml").read_text()
    assert sorted(said) == sorted([
        "images.service", "images.backup", "publicOrigin", "settings.KEPT_LOG_NAME", "settings.KEPT_CONTROLLER",
        "settings.KEPT_CONTACT", "postgres.host", "kafka.bootstrap", "vault.address", "mail.host", "services.audit",
        "network.gateway.peers", "network.vault.peers", "network.postgres.peers", "network.kafka.peers", "network.mail.peers",
    ])  # fmt: skip
    assert len(re.findall(r"# required(?! of| with| where)", text)) == len(said) - 1  # audit's is two that do not go together


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"trustedProxies": []}, "trustedProxies: "),
        ({"ingress": {"tlsSecret": ""}}, "ingress.tlsSecret: "),
        ({"httpRoute": {"enabled": True}}, "httpRoute.parentRefs: "),
        ({"services": {"audit": {"settings": {"KEPT_LOG_STORE": ""}}}}, "services.audit: "),
        ({"services": {"backup": {"replicas": 2}}}, "services.backup: "),
        ({"services": {"backup": {"autoscaling": {"enabled": True}}}}, "services.backup: "),
        ({"network": {"bucket": {"peers": []}}}, "network.bucket.peers: "),
        ({"telemetry": {"endpoint": "http://otel:4318"}}, "network.collector.peers: "),
        ({"services": {"audit": {"settings": {"KEPT_WITNESSES": "a b"}}}}, "network.witness.peers: "),
        ({"metrics": {"serviceMonitor": True}}, "network.prometheus.peers: "),
    ],
)
def test_what_does_not_go_together_is_refused_in_words(wrong: Object, says: str) -> None:
    with pytest.raises(RefusedError) as error:
        rendered(EXAMPLE, wrong)
    assert re.findall(r"^  ([\w.]+: )", str(error.value), re.M) == [says]


def test_every_value_is_used() -> None:
    templates = "".join(path.read_text() for path in (CHART / "templates").iterdir())

    def leaves(at: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
        if isinstance(at, dict) and at and path[-1:] not in (("settings",), ("peers",), ("resources",)):
            for key, inner in at.items():
                yield from leaves(inner, (*path, key))
        else:
            yield path

    unused = [".".join(path) for path in leaves(DEFAULTS) if not re.search(rf"\.{path[-1]}\b", templates)]
    assert not unused


# -- who watches -------------------------------------------------------------------------------------------------------


def test_an_alert_is_about_what_is_measured_and_has_a_runbook() -> None:
    source = "".join(path.read_text() for place in ("shared", "services") for path in (ROOT / place).rglob("*.py"))
    (one,) = of_kind("everything", "PrometheusRule").values()
    (group,) = one["spec"]["groups"]
    assert group["rules"]
    for rule in group["rules"]:
        assert f'namespace="{NAMESPACE}"' in rule["expr"]
        for metric in re.findall(r"\bkept_\w+", rule["expr"]):
            assert f'"{metric}"' in source, metric
        assert Path(ROOT / rule["annotations"]["runbook_url"]).exists()
