"""values.schema.json: what the chart may be told. What is not here is refused, and each setting is as its class says."""

from collections.abc import Mapping
from typing import Any

from deploy.arrows.table import table
from services.audit.settings import AuditSettings
from services.backup.settings import BackupSettings
from services.customers.settings import CustomersSettings
from services.dsar.settings import DsarSettings
from services.identity.settings import IdentitySettings
from shared.settings import ServiceSettings

SETTINGS: Mapping[str, type[ServiceSettings]] = {
    "identity": IdentitySettings,
    "customers": CustomersSettings,
    "audit": AuditSettings,
    "backup": BackupSettings,
    "dsar": DsarSettings,
}
# What the chart says itself, from values that are named for what they are (templates/_helpers.tpl, kept.environment).
SAID = frozenset({
    "service", "hosts", "log_url", "http_host", "http_port", "drain_seconds", "public_origin", "origins", "trusted_proxies",
    "database_host", "database_port", "kafka_bootstrap", "kafka_security", "kafka_ca_file", "vault_addr", "vault_auth",
    "vault_auth_mount", "vault_token_file", "state_dir", "jwks_url", "smtp_host", "smtp_port", "smtp_user", "smtp_tls",
    "smtp_ca_file",
})  # fmt: skip
# What nobody sets on a cluster: AppRole (a token of the kubelet's takes its place), what only one machine or the image has.
UNUSED = frozenset({
    "vault_role_id", "vault_secret_id_file", "hop_secret_file", "kafka_idempotence", "pg_bin", "pg_os_user",
    "log_immutable",
})  # fmt: skip
# A directory is the chart's own (services.audit.files); what else can be said is a bucket.
NARROWER: Mapping[str, Mapping[str, Any]] = {"log_store": {"pattern": "^$|^s3://"}}
KEEPS_FILES = ("audit", "backup")

Schema = dict[str, Any]
TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
PORT: Schema = {"type": "integer", "minimum": 1, "maximum": 65535}
FREE: Schema = {"type": "object"}  # Kubernetes' own words, which its server judges


def closed(**properties: Schema) -> Schema:
    """An object that has these and nothing else."""
    return {"type": "object", "additionalProperties": False, "properties": properties}


def many(of: Schema) -> Schema:
    return {"type": "array", "items": of}


def matching(pattern: str) -> Schema:
    """A text like this, or an empty one: what must be said, the chart says in words."""
    return {"type": "string", "pattern": f"^$|{pattern}"}


def at_least(least: int, **more: int) -> Schema:
    return {"type": "integer", "minimum": least, **more}


def one_of(*words: str) -> Schema:
    return {"type": "string", "enum": list(words)}


def schema() -> Schema:
    """The whole."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Values of the chart kept. Written by `make arrows` from deploy/helm/schema.py: change that, not this.",
        **closed(
            images=closed(
                service=TEXT, backup=TEXT, pullPolicy=one_of("Always", "IfNotPresent", "Never"), pullSecrets=many(TEXT)
            ),
            publicOrigin=matching(r"^https?://[^/\s]+$"),
            origins=many(matching(r"^https?://[^/\s]+$")),
            trustedProxies=many(TEXT),
            settings=_settings(ServiceSettings),
            postgres=closed(host=TEXT, port=PORT),
            kafka=closed(
                bootstrap=matching(r"^\S+:[0-9]+$"), security=one_of("SASL_SSL", "SASL_PLAINTEXT"), caSecret=_secret()
            ),
            vault=closed(
                address=matching(r"^https?://\S+$"), auth=one_of("kubernetes", "jwt"), mount=TEXT, audience=TEXT,
                tokenSeconds=at_least(600), caSecret=_secret(),
            ),
            mail=closed(host=TEXT, port=PORT, tls=one_of("starttls", "tls", "none"), user=TEXT, caSecret=_secret()),
            telemetry=closed(endpoint=matching(r"^https?://\S+$")),
            defaults=closed(**_of_a_service()),
            services=closed(**{name: _service(name) for name in SETTINGS}),
            ingress=closed(enabled=FLAG, className=TEXT, annotations=_words(), tlsSecret=TEXT),
            httpRoute=closed(enabled=FLAG, parentRefs=many(FREE)),
            network=closed(
                enabled=FLAG, dns=_names(), **{name: _party(ports=reached) for name, reached in parties().items()}
            ),
            metrics=closed(
                serviceMonitor=FLAG, rules=FLAG, labels=_words(), interval=matching(r"^[0-9]+(ms|s|m)$"), runbooks=TEXT
            ),
            # Helm's own: what charts above this one, or --set, may say to all charts.
            **{"global": FREE},
        ),
    }  # fmt: skip


def parties() -> Mapping[str, bool]:
    """Who is at the other end of a service's arrows; whether a service goes there, or they come."""
    of = table()
    others = of.of_kind("server", "outside")
    return {one: any(arrow.target == one for arrow in of.arrows if arrow.source in SETTINGS) for one in others if _near(one)}


def _near(party: str) -> bool:
    return any(party in (one.source, one.target) and {one.source, one.target} & SETTINGS.keys() for one in table().arrows)


def _settings(of: type[ServiceSettings], besides: frozenset[str] = frozenset()) -> Schema:
    made = of.model_json_schema()["properties"]
    offered = [name for name in of.model_fields if name not in SAID | UNUSED | besides]
    return closed(**{f"KEPT_{name.upper()}": _setting(name, made[name]) for name in offered})


def _setting(name: str, said: Mapping[str, Any]) -> Schema:
    """Without its default: that is the service's. A text may be empty, which is as if it were not said."""
    found = {**{key: value for key, value in said.items() if key not in ("default", "title")}, **NARROWER.get(name, {})}
    if "pattern" in found and not found["pattern"].startswith("^$|"):
        found["pattern"] = f"^$|{found['pattern']}"
    return found


def _of_a_service() -> dict[str, Schema]:
    return {
        "replicas": at_least(0),
        "drainSeconds": at_least(0, maximum=60),
        "startSeconds": at_least(5),
        "resources": closed(requests=_amounts(), limits=_amounts()),
        "autoscaling": closed(
            enabled=FLAG, minReplicas=at_least(1), maxReplicas=at_least(1), cpuPercent=at_least(1)
        ),
        "nodeSelector": _words(),
        "tolerations": many(FREE),
        "podAnnotations": _words(),
    }  # fmt: skip


def _service(name: str) -> Schema:
    files = {"files": closed(size=TEXT, storageClass=TEXT)} if name in KEEPS_FILES else {}
    return closed(**_of_a_service(), settings=_settings(SETTINGS[name]), **files)


def _names() -> Schema:
    """Whoever resolves names; unlike a party, always there."""
    made = _party(ports=True)
    made["properties"]["peers"]["minItems"] = 1
    return made


def _party(*, ports: bool) -> Schema:
    block = closed(cidr=TEXT, **{"except": many(TEXT)})
    selector = closed(matchLabels=_words(), matchExpressions=many(FREE))
    peer = closed(podSelector=selector, namespaceSelector=selector, ipBlock=block) | {"minProperties": 1}
    # What somebody takes away (`null`), or leaves empty, would be everybody, or every port.
    named = closed(peers=many(peer), **({"ports": many(PORT) | {"minItems": 1}} if ports else {}))
    return named | {"required": [*named["properties"]]}


def _secret() -> Schema:
    return closed(name=TEXT, key=TEXT)


def _words() -> Schema:
    return {"type": "object", "additionalProperties": TEXT}


def _amounts() -> Schema:
    return {"type": "object", "additionalProperties": {"type": ["string", "number"]}}
