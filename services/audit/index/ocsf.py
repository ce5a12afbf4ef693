"""Rows of the trail as events of the Open Cybersecurity Schema Framework, so that a SIEM takes them as they are. Pure.

What is what stands as data in ocsf.toml. Who acted and whom it concerns are pseudonyms; addresses of machines are not in our
events, so the source endpoint of an activity names the service.
"""

import fnmatch
import tomllib
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.audit.index.model import Row

OTHER, USER_UID = 99, 31
OBSERVABLES_MAX = 100
ACTED = frozenset(
    ("account_change", "authentication", "entity_management", "api_activity", "datastore_activity")
)  # have an actor


class Class(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    uid: int
    category: int


class Rule(BaseModel):
    """`type`: a pattern. `name`: of an activity that OCSF has no number for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: str
    class_: str = Field(alias="class")
    activity: int
    name: str = ""
    on: str = ""
    status: int = Field(default=0, ge=0, le=2)
    severity: int = Field(default=1, ge=1, le=6)


class Book(BaseModel):
    """ocsf.toml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    classes: dict[str, Class]
    rules: list[Rule]

    @model_validator(mode="after")
    def _whole(self) -> "Book":
        for rule in self.rules:
            if rule.class_ not in self.classes or (rule.activity == OTHER) != bool(rule.name):
                raise ValueError(f"rule {rule.type}: no such class, or an activity without a name")
        return self

    def rule_of(self, kind: str) -> Rule:
        """The first that fits."""
        other = Rule(type="*", **{"class": "base_event"}, activity=OTHER, name=kind or "unknown")
        return next((rule for rule in self.rules if fnmatch.fnmatchcase(kind, rule.type)), other)


@cache
def book() -> Book:
    """The mapping. A file that is not whole is a defect, and stops the first use (and the tests)."""
    return Book.model_validate(tomllib.loads((files(__package__) / "ocsf.toml").read_text(encoding="utf-8")))


def event_of(row: Row) -> dict[str, Any]:
    """`row` as one OCSF event."""
    rule = book().rule_of(row.type)
    kind = book().classes[rule.class_]
    service = _service(row)
    found: dict[str, Any] = {
        "class_uid": kind.uid,
        "category_uid": kind.category,
        "activity_id": rule.activity,
        "type_uid": kind.uid * 100 + rule.activity,
        "severity_id": rule.severity,
        "time": _milliseconds(row),
        "message": row.type,
        "metadata": {
            "version": book().version,
            "product": {"name": "Kept", "vendor_name": "Kept", "feature": {"name": service}},
            "uid": row.id or f"{row.shard}#{row.index}",
            "event_code": row.type,
            "log_name": row.shard,
            "sequence": row.index,
            "original_time": row.time,
        },
        "unmapped": {"purpose": row.purpose, "detail": row.detail},
    }
    if row.trace:
        found["metadata"]["correlation_uid"] = row.trace
    if rule.name:
        found["activity_name"] = rule.name
    if rule.status:
        found["status_id"] = rule.status
    if row.actor and rule.class_ in ACTED:
        found["actor"] = _actor(row.actor)
    elif row.actor:
        found["unmapped"]["actor"] = row.actor
    people = list(dict.fromkeys([*([row.subject] if row.subject else []), *row.subjects]))[:OBSERVABLES_MAX]
    if people:
        found["observables"] = [{"name": "user.uid", "type_id": USER_UID, "value": one} for one in people]
    return found | _own(rule, row, service)


def _own(rule: Rule, row: Row, service: str) -> dict[str, Any]:
    """What the class demands of its own."""
    name = row.type.removeprefix("kept.").rpartition(".v")[0]
    if rule.class_ == "authentication":
        detail = {"status_detail": str(row.detail["reason"])} if "reason" in row.detail else {}
        return {"user": {"uid": row.subject or "unknown"}, "service": {"name": service}, **detail}
    if rule.class_ == "account_change":
        return {"user": {"uid": row.subject or "unknown"}}
    if rule.class_ == "entity_management":
        return {"entity": {"type": rule.on, "uid": _uid(row), "name": name}}
    if rule.class_ == "datastore_activity":
        return {"actor": _actor(row.actor or "unknown"), "src_endpoint": {"svc_name": service}, "table": {"name": rule.on}}
    if rule.class_ == "api_activity":
        api = {"operation": name, "service": {"name": service}}
        return {"actor": _actor(row.actor or "unknown"), "src_endpoint": {"svc_name": service}, "api": api}
    if rule.class_ == "application_lifecycle":
        return {"app": {"name": rule.on}}
    if rule.class_ == "detection_finding":
        kind = row.detail.get("kind") or row.detail.get("reason", "alarm")
        title = f"{kind}: {row.detail.get('shard') or row.detail.get('holder', '')}"
        return {"finding_info": {"uid": row.id or f"{row.shard}#{row.index}", "title": title, "types": [row.type]}}
    return {}


def _uid(row: Row) -> str:
    names = ("approval_id", "request_id", "backup_id", "restore_id")
    return next((str(row.detail[name]) for name in names if row.detail.get(name)), row.subject or row.id or "unknown")


def _actor(actor: str) -> dict[str, Any]:
    return {"user": {"uid": actor}} if actor.startswith("sub_") else {"app_name": actor}


def _service(row: Row) -> str:
    """`kept customers` of the shard `kept.customers/0`; a foreign topic's name as it is."""
    topic = row.shard.rpartition("/")[0]
    return f"kept {topic.split('.')[1]}" if topic.startswith("kept.") else topic or "unknown"


def _milliseconds(row: Row) -> int:
    return int(datetime.fromisoformat(row.time).timestamp() * 1000)
