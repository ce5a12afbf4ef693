"""The trail's page: its words in English and Chinese, and what it shows of a row."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

from services.audit.index.model import Row
from shared.event_names import event_name

_ID = re.compile(r"[a-z]{3}_[0-9a-f]{32}")
WORDS = {
    "en": {
        "title": "Audit trail",
        "lead": "What happened, from the log that nobody can quietly change. Your search becomes an event of it too.",
        "filter": "Search for",
        "subject": "About whom",
        "actor": "By whom",
        "type": "What (type)",
        "purpose": "Purpose",
        "trace": "Trace",
        "from": "From (UTC)",
        "to": "To, that day included",
        "looks": "only who looked at personal data",
        "search": "Search",
        "clear": "Show everything",
        "wrong": "This is not understood, so nothing was searched:",
        "when": "When (UTC)",
        "what": "What",
        "who": "By whom",
        "whose": "About whom",
        "why": "Purpose",
        "proof": "Proof",
        "entry": "Entry",
        "people": "people",
        "detail": "details",
        "more": "Older entries",
        "none": "Nothing in the log fits.",
        "alarms": "Alarms",
        "alarms_lead": "What the log wants somebody to look at. An alarm stays here until somebody says that it was seen to.",
        "alarms_none": "No alarm is open.",
        "alarms_all": "Acknowledged ones too",
        "alarms_open": "Only open ones",
        "alarms_more": "What to do, and acknowledge",
        "where": "Where",
        "to_do": "What to do",
        "seen_to": "Seen to",
        "why_aside": "Why can it be put aside?",
        "choose": "Choose a reason",
        "reference": "Ticket (optional)",
        "acknowledge": "Acknowledge",
        "in_step": "The log has everything: {n} entries, none behind.",
        "behind": "{n} entries in the log; {behind} more wait to be written, {index} to be searchable.",
        "unwitnessed": "{n} entries are not yet signed by enough witnesses.",
        "unknown": "How far the log is cannot be told at the moment.",
        "ledger": "All shards vouched for one another at",
        "verified": "All {n} entries of it were verified at {at} UTC: as they were signed.",
        "damaged": "At {at} UTC its verification found faults ({faults}): see the alarms.",
        "take": "Take along what is shown here (an event tells of it):",
        "live": "Watch live",
    },
    "zh": {
        "title": "审计记录",
        "lead": "所发生的一切，来自无人能悄悄改动的日志。您的查询同样会成为其中的一个事件。",
        "filter": "查询条件",
        "subject": "涉及谁",
        "actor": "操作者",
        "type": "事件（类型）",
        "purpose": "目的",
        "trace": "追踪编号",
        "from": "起始日期（UTC）",
        "to": "截止日期（含当日）",
        "looks": "仅显示查看个人数据的记录",
        "search": "查询",
        "clear": "显示全部",
        "wrong": "以下内容无法识别，因此没有查询：",
        "when": "时间（UTC）",
        "what": "事件",
        "who": "操作者",
        "whose": "涉及谁",
        "why": "目的",
        "proof": "证明",
        "entry": "原文",
        "people": "人",
        "detail": "详情",
        "more": "更早的记录",
        "none": "日志中没有符合的内容。",
        "alarms": "警报",
        "alarms_lead": "日志提请查看的事项。警报会一直显示，直到有人确认已处理。",
        "alarms_none": "没有未处理的警报。",
        "alarms_all": "也显示已确认的警报",
        "alarms_open": "仅显示未处理的警报",
        "alarms_more": "处理办法与确认",
        "where": "位置",
        "to_do": "处理办法",
        "seen_to": "已处理",
        "why_aside": "为什么可以确认？",
        "choose": "请选择理由",
        "reference": "工单号（可选）",
        "acknowledge": "确认",
        "in_step": "日志是完整的：共 {n} 条，没有滞后。",
        "behind": "日志共有 {n} 条；还有 {behind} 条等待写入，{index} 条等待可供查询。",
        "unwitnessed": "有 {n} 条尚未获得足够数量见证方的签名。",
        "unknown": "目前无法得知日志的进度。",
        "ledger": "各分片最近一次相互见证于",
        "verified": "全部 {n} 条已于 {at} UTC 校验，均与签名一致。",
        "damaged": "{at} UTC 的校验发现 {faults} 处异常，请查看警报。",
        "take": "导出此处所示内容（导出本身也会被记录）：",
        "live": "实时查看",
    },
}


def words(lang: str) -> SimpleNamespace:
    return SimpleNamespace(**WORDS["zh" if lang == "zh" else "en"])


@dataclass(frozen=True)
class Shown:
    """A row as the page shows it."""

    row: Row
    when: str
    what: str
    who: str
    whose: str
    details: Sequence[tuple[str, str]]


def shown(row: Row, lang: str) -> Shown:
    what = event_name(row.type, lang)
    people = len(row.subjects)
    whose = short(row.subject) if row.subject else f"{people} {words(lang).people}" if people else ""
    details = [(n, _said(v)) for n, v in row.detail.items() if n != "subjects" and v not in ({}, [], "")]
    return Shown(row, row.time[:19].replace("T", " "), what, short(row.actor), whose, details)


def scrubbed(status: Mapping[str, Any], lang: str) -> str:
    """What the last scrub came to (services/audit/scrub), in a sentence; empty where there was none yet."""
    if not status["entries"] and not status["faults"]:
        return ""
    sentence: str = words(lang).damaged if status["faults"] else words(lang).verified
    at = status["ended_at"][:16].replace("T", " ")
    return sentence.format(n=f"{status['entries']:,}", at=at, faults=f"{status['faults']:,}")


def short(pseudonym: str) -> str:
    """Enough of an id (`sub_…`, `req_…`) to tell one from another; the name of a service as it is."""
    return f"…{pseudonym[-8:]}" if _ID.fullmatch(pseudonym) else pseudonym


def _said(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{n}: {v}" for n, v in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def link(path: str, **asked: str) -> str:
    given = {n.rstrip("_"): v for n, v in asked.items() if v}
    return f"{path}?{urlencode(given)}" if given else path
