"""deploy/helm/examples: what an operator makes beside the chart gives what the table gives, and fits the chart's example."""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from deploy.arrows.table import table
from deploy.helm import operators
from deploy.local import catalog
from deploy.local.kafka_rights import Kind, Operation, Pattern, Right, rights
from tests.support.helm import EXAMPLE, NAMESPACE, ROOT, rendered

EXAMPLES = EXAMPLE.parent
VALUES: dict[str, Any] = yaml.safe_load(EXAMPLE.read_text())
SCRIPT = operators.vault()
COVERS = {"literal": Pattern.LITERAL, "prefix": Pattern.PREFIXED}


def made(name: str, kind: str) -> dict[str, dict[str, Any]]:
    found = [one for one in yaml.safe_load_all((EXAMPLES / name).read_text()) if one and one["kind"] == kind]
    assert len({one["metadata"]["name"] for one in found}) == len(found)
    return {one["metadata"]["name"]: one["spec"] for one in found}


def test_a_user_of_the_broker_may_what_the_table_says() -> None:
    def given() -> Iterator[Right]:
        for user, spec in made("kafka.yaml", "KafkaUser").items():
            for acl in spec["authorization"]["acls"]:
                what = acl["resource"]
                for operation in acl["operations"]:
                    kind, covers = Kind[what["type"].upper()], COVERS[what["patternType"]]
                    yield user, kind, what["name"], covers, Operation[operation.upper()]

    assert sorted(given()) == sorted({right for right in rights() if right[0] in catalog.SERVICES})


def test_every_topic_that_a_service_writes_is_made() -> None:
    topics = {name: spec["partitions"] for name, spec in made("kafka.yaml", "KafkaTopic").items()}
    written = {topic for service in catalog.SERVICES for topic in table().kafka[service].writes}
    assert topics == {one.name: one.partitions for one in catalog.topics() if one.name in written} and topics.keys() == written


def test_a_role_of_the_database_reaches_its_own_and_no_other() -> None:
    of = table()
    (cluster,) = made("postgres.yaml", "Cluster").values()
    roles = {one["name"]: one.get("replication", False) for one in cluster["managed"]["roles"]}
    assert roles == {role: role in of.replicates for role in of.databases}
    assert {one["name"]: one["owner"] for one in made("postgres.yaml", "Database").values()} == of.databases
    lines = cluster["postgresql"]["pg_hba"]
    wanted = [*of.databases.items(), *((role, "replication") for role in of.replicates)]
    assert sorted(lines[:-1]) == sorted(f"hostssl {database} {role} all scram-sha-256" for role, database in wanted)
    assert lines[-1] == "host all all all reject"


def test_vault_lets_in_the_accounts_that_the_chart_makes() -> None:
    accounts = {one["metadata"]["name"] for one in rendered(EXAMPLE) if one["kind"] == "ServiceAccount"}
    roles = re.findall(r"^bao write auth/kubernetes/role/(\w+) (.+?)(?<!\\)$", SCRIPT, re.M | re.S)
    said = {role: dict(word.split("=") for word in rest.replace("\\\n", " ").split()) for role, rest in roles}
    assert {one["bound_service_account_names"] for one in said.values()} == accounts
    for service, one in said.items():
        assert one["bound_service_account_names"] == f"kept-{service}" and one["bound_service_account_namespaces"] == NAMESPACE
        assert one["audience"] == "vault" and one["token_policies"].split(",") == [*catalog.policies(service)]
    policies = re.findall(r"^bao policy write ([\w-]+) (\S+)$", SCRIPT, re.M)
    assert all((ROOT / place).exists() and place == f"deploy/vault/{name}.hcl" for name, place in policies)
    assert {name for name, _ in policies} >= {policy for service in catalog.SERVICES for policy in catalog.policies(service)}


def test_every_key_that_a_service_may_use_is_made() -> None:
    paths = [path for service in catalog.SERVICES for one in table().vault[service] for path in one.may]
    used = {path.split("/")[2] for path in paths if path.startswith("transit/")}
    assert used == {*re.findall(r"^bao write transit/keys/(\S+) type=", SCRIPT, re.M)}


def test_the_secrets_of_the_stores_are_those_that_the_script_makes() -> None:
    (cluster,) = made("postgres.yaml", "Cluster").values()
    assert '"kept-db-$service"' in SCRIPT and '"kept-kafka-$service"' in SCRIPT
    assert {one["passwordSecret"]["name"] for one in cluster["managed"]["roles"]} == {
        f"kept-db-{service}" for service in catalog.SERVICES
    }  # fmt: skip
    for user, spec in made("kafka.yaml", "KafkaUser").items():
        assert spec["authentication"]["password"]["valueFrom"]["secretKeyRef"] == {
            "name": f"kept-kafka-{user}",
            "key": "password",
        }


def test_the_example_of_the_chart_finds_them() -> None:
    (cluster,) = made("postgres.yaml", "Cluster")
    assert VALUES["postgres"]["host"].split(".")[0] == f"{cluster}-rw"
    (postgres,) = VALUES["network"]["postgres"]["peers"]
    assert postgres["podSelector"]["matchLabels"] == {"cnpg.io/cluster": cluster}
    (kafka,) = VALUES["network"]["kafka"]["peers"]
    labels = {
        one["metadata"]["labels"]["strimzi.io/cluster"]
        for one in yaml.safe_load_all((EXAMPLES / "kafka.yaml").read_text())
        if one
    }
    assert {kafka["podSelector"]["matchLabels"]["strimzi.io/cluster"]} == labels
    assert VALUES["kafka"]["bootstrap"].startswith(f"{min(labels)}-kafka-bootstrap.")
