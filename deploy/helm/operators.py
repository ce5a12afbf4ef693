"""What an operator makes beside the chart, from the table of arrows and the catalogue: Strimzi's topics and users, what Vault
holds, a cluster of CloudNativePG's. Examples: names of places are those of examples/values.yaml."""

from collections.abc import Iterable, Iterator, Mapping

from deploy.arrows.hba import hba
from deploy.arrows.table import table
from deploy.local import catalog
from deploy.local.kafka_rights import Kind, Operation, Pattern, rights
from deploy.local.vault_provision import TOKEN_SECONDS, TOKEN_SECONDS_MAX

MADE = "# Written by `make arrows`: change deploy/arrows/arrows.toml or deploy/helm/operators.py, not this."
RELEASE, NAMESPACE, AUDIENCE = "kept", "kept", "vault"
DATABASE = "kept-db"
Lines = Iterator[str]


def files() -> Mapping[str, str]:
    """All of them, by name."""
    return {"kafka.yaml": _page(_kafka()), "postgres.yaml": _page(_postgres()), "vault.sh": vault()}


def _page(lines: Iterable[str]) -> str:
    return "\n".join([MADE, *lines]) + "\n"


# -- Strimzi -----------------------------------------------------------------------------------------------------------


def _kafka() -> Lines:
    yield "# Topics, users and their rights, for Strimzi 0.49 or later, beside your Kafka resource `kept`, which needs a"
    yield "# listener of type scram-sha-512 and `authorization: {type: simple}`. A test compares the rights with the table; no"
    yield "# cluster has had them yet. Passwords come from the Secrets that vault.sh makes. Another team's service gets a user"
    yield "# of its own."
    written = {topic for service in catalog.SERVICES for topic in catalog.ACCESS[service].writes}
    for topic in catalog.topics():
        if topic.name in written:
            yield from _topic(topic)
    for service in catalog.SERVICES:
        yield from _user(service)


def _strimzi(kind: str, name: str) -> Lines:
    yield "---"
    yield "apiVersion: kafka.strimzi.io/v1"
    yield f"kind: {kind}"
    yield f"metadata: {{name: {name}, labels: {{strimzi.io/cluster: kept}}}}"
    yield "spec:"


def _topic(topic: catalog.Topic) -> Lines:
    yield from _strimzi("KafkaTopic", topic.name)
    yield f"  partitions: {topic.partitions}"
    yield "  replicas: 3"
    yield "  config: {retention.ms: -1, cleanup.policy: delete, min.insync.replicas: 2}"


def _user(user: str) -> Lines:
    yield from _strimzi("KafkaUser", user)
    yield "  authentication:"
    yield "    type: scram-sha-512"
    yield f"    password: {{valueFrom: {{secretKeyRef: {{name: kept-kafka-{user}, key: password}}}}}}"
    yield "  authorization:"
    yield "    type: simple"
    yield "    acls:"
    may: dict[tuple[Kind, str, Pattern], set[Operation]] = {}
    for who, kind, name, pattern, operation in rights():
        if who == user:
            may.setdefault((kind, name, pattern), set()).add(operation)
    for (kind, name, pattern), operations in sorted(may.items()):
        covers = "prefix" if pattern is Pattern.PREFIXED else "literal"
        done = ", ".join(sorted(operation.name.capitalize() for operation in operations))
        resource = f"{{type: {kind.name.lower()}, name: {name}, patternType: {covers}}}"
        yield f"      - {{resource: {resource}, operations: [{done}]}}"


# -- CloudNativePG -----------------------------------------------------------------------------------------------------


def _postgres() -> Lines:
    of = table()
    yield "# The five databases on CloudNativePG, in PostgreSQL 18: backup's image has the programs of that version. A test"
    yield "# compares them with the table; no cluster has had them yet. Passwords come from the Secrets that vault.sh makes."
    yield "# CloudNativePG restores into a new Cluster only, from backups of its own. Kept's sets are apart from those: taken"
    yield "# over the replication protocol, drilled and restored on backup's own disk. To bring one into a Cluster was not"
    yield "# tried."
    yield "---"
    yield "apiVersion: postgresql.cnpg.io/v1"
    yield "kind: Cluster"
    yield f"metadata: {{name: {DATABASE}}}"
    yield "spec:"
    yield "  instances: 3"
    yield "  storage: {size: 50Gi}"
    yield "  postgresql:"
    yield "    parameters:"
    yield '      max_connections: "240"'
    yield "      wal_keep_size: 512MB"
    yield "      # A statement, a parameter or a key's value may be a person's: none of them in the log."
    yield "      log_statement: none"
    yield "      log_min_error_statement: panic"
    yield "      log_error_verbosity: terse"
    yield '      log_parameter_max_length: "0"'
    yield '      log_parameter_max_length_on_error: "0"'
    yield "    # What CloudNativePG adds after these would let each role into every database."
    yield "    pg_hba:"
    yield from (f"      - {line.replace('host', 'hostssl', 1)}" for line in hba(of, "all"))
    yield "      - host all all all reject"
    yield "  managed:"
    yield "    roles:"
    for role in of.databases:
        replicates = ", replication: true" if role in of.replicates else ""
        secret = f"passwordSecret: {{name: {DATABASE}-{role}}}"
        yield f"      - {{name: {role}, ensure: present, login: true{replicates}, {secret}}}"
    for role, database in of.databases.items():
        yield "---"
        yield "apiVersion: postgresql.cnpg.io/v1"
        yield "kind: Database"
        yield f"metadata: {{name: {DATABASE}-{database}}}"
        yield f"spec: {{cluster: {{name: {DATABASE}}}, name: {database}, owner: {role}}}"


# -- Vault -------------------------------------------------------------------------------------------------------------


def keys() -> Mapping[str, str]:
    """Name -> type, of our own services."""
    foreign = {f"kept-{holder}-notes" for holder in catalog.FOREIGN}
    kinds = dict.fromkeys(catalog.KEKS, "aes256-gcm96") | dict.fromkeys(catalog.SIGNING_KEYS, "ed25519")
    kinds |= dict.fromkeys(catalog.HASH_KEYS, "hmac key_size=32")
    return {name: kind for name, kind in kinds.items() if name not in foreign}


def vault() -> str:
    """vault.sh."""
    made = "\n".join(f"bao write transit/keys/{name} type={kind}" for name, kind in keys().items())
    policies = (*catalog.SERVICES, *table().shared, "rotation")
    written = "\n".join(f"bao policy write {name} deploy/vault/{name}.hcl" for name in policies)
    roles = "\n".join(_role(service) for service in catalog.SERVICES)
    return f"""#!/bin/sh
{MADE}
# What Kept needs in OpenBao; in Vault, with `vault` in the place of `bao`. Run it once, in the repository, as who may write
# policies there, and with a kubectl that may make Secrets where the stores are. Parts 1 to 3 were run on OpenBao 2.7.2,
# outside a cluster; part 4 was not.
set -eu

# 1. Engines, and how a service shows who it is.
bao secrets enable transit
bao secrets enable -path=kept -version=2 kv
bao auth enable kubernetes
# From a Pod of the cluster; elsewhere it wants kubernetes_ca_cert and token_reviewer_jwt too.
bao write auth/kubernetes/config kubernetes_host=https://kubernetes.default.svc

# 2. Keys.
{made}

# 3. Who may what, and who that is: a ServiceAccount of the release `{RELEASE}` in namespace `{NAMESPACE}`. `rotation` is for
#    whoever runs `kept keys rotate`.
{written}
{roles}

# 4. Passwords, drawn once: into Vault for the service, and as a Secret for the store's operator. `-cas=0`: never over another.
drawn() {{ head -c 32 /dev/urandom | base64 | tr -d '+/=\\n'; }}
for service in {" ".join(catalog.SERVICES)}; do
  password=$(drawn)
  printf %s "$password" | bao kv put -cas=0 -mount=kept "$service/database" password=-
  printf %s "$password" | kubectl --namespace postgres create secret generic "{DATABASE}-$service" \\
    --type=kubernetes.io/basic-auth --from-literal=username="$service" --from-file=password=/dev/stdin
  password=$(drawn)
  printf %s "$password" | bao kv put -cas=0 -mount=kept "$service/kafka" password=-
  printf %s "$password" | kubectl --namespace kafka create secret generic "kept-kafka-$service" --from-file=password=/dev/stdin
done

# 5. By hand, as you have them: the mail server's password (customers/smtp and dsar/smtp: password) and the keys of the log's
#    bucket (audit/s3: access_key, secret_key).
"""


def _role(service: str) -> str:
    return f"""bao write auth/kubernetes/role/{service} audience={AUDIENCE} \\
  bound_service_account_names={RELEASE}-{service} bound_service_account_namespaces={NAMESPACE} \\
  token_policies={",".join(catalog.policies(service))} token_ttl={TOKEN_SECONDS} token_max_ttl={TOKEN_SECONDS_MAX}"""
