"""Words of the trail page."""

from types import SimpleNamespace

WORDS = {
    "en": {
        "title": "Audit trail",
        "lead": "What happened, from the log that nobody can quietly change. Your search becomes an event of it too.",
        "subject": "About whom (pseudonym)",
        "actor": "By whom (pseudonym)",
        "looks": "only who looked at personal data",
        "search": "Search",
        "when": "When (UTC)",
        "what": "What",
        "who": "Who",
        "whose": "Whose",
        "why": "Purpose",
        "proof": "Proof",
        "more": "Older entries",
        "none": "Nothing in the log fits.",
    },
    "zh": {
        "title": "审计记录",
        "lead": "所发生的一切，来自无人能悄悄改动的日志。您的查询同样会成为其中的一个事件。",
        "subject": "关于谁（假名）",
        "actor": "由谁（假名）",
        "looks": "仅显示查看个人数据的记录",
        "search": "查询",
        "when": "时间（UTC）",
        "what": "事件",
        "who": "操作者",
        "whose": "涉及谁",
        "why": "目的",
        "proof": "证明",
        "more": "更早的记录",
        "none": "日志中没有符合的内容。",
    },
}


def words(lang: str) -> SimpleNamespace:
    return SimpleNamespace(**WORDS["zh" if lang == "zh" else "en"])
