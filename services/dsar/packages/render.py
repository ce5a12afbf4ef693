"""The page inside a package, made from answers by a template that escapes everything."""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from jinja2 import Environment

from services.dsar.holder_words import called, quoted
from services.dsar.packages.model import Category, HolderAnswer
from shared.event_names import event_name


def plain(value: object) -> str:
    """A value as people read it: lists and named values in one line each, nothing for nothing."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {plain(inner)}" for name, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(plain(inner) for inner in value)
    return "" if value is None else str(value)


def cell(value: object, column: str, holder: str, language: str) -> str:
    """One value of a record. Of a look, which the audit log tells of: who and what in words, for the ids are for machines
    (they stand in the package's data file)."""
    text = plain(value)
    if holder == "audit" and column == "what":
        return event_name(text, language)
    if holder == "audit" and column == "who":
        return looker(text, language)
    return text


def heading(column: str, holder: str, language: str) -> str:
    """The name of a column; of a look in the reader's language."""
    return LOOK_COLUMNS.get(column, column) if holder == "audit" and language == "zh" else column


def looker(actor: str, language: str) -> str:
    """Who looked: a member of staff by the end of their pseudonym, so that one can be told from another; a system by name."""
    words, (kind, _, rest) = LOOKERS.get(language, LOOKERS["en"]), actor.partition("_")
    if actor.startswith("system:"):
        return words["system"].format(name=called(actor.removeprefix("system:"), language))
    return words[kind].format(end=rest[-8:]) if kind in words else actor


def recipients(category: Category, holder: str, language: str) -> str:
    """Who received it, in one line."""
    given = category.recipients
    return ", ".join(quoted(one, holder, language) for one in ([given] if isinstance(given, str) else given))


LOOKERS: Mapping[str, Mapping[str, str]] = {
    "en": {"sub": "a member of staff (…{end})", "req": "you, through your request (…{end})", "system": "{name}, by itself"},
    "zh": {"sub": "一名员工（…{end}）", "req": "您本人，通过请求（…{end}）", "system": "{name}（系统自动）"},
}
LOOK_COLUMNS: Mapping[str, str] = {"when": "时间", "who": "谁", "what": "做了什么", "fields": "字段", "purpose": "目的"}

_JINJA = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
_JINJA.filters["cell"] = cell
_JINJA.filters["heading"] = heading
_JINJA.filters["called"] = called
_JINJA.filters["quoted"] = quoted
_JINJA.filters["recipients"] = recipients
_PAGE = _JINJA.from_string((files("services.dsar.packages") / "index.html").read_text(encoding="utf-8"))

WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "title": "What is held on you",
        "asked": "You asked on",
        "by": "answered by",
        "law": "Law",
        "purpose": "What for",
        "basis": "Lawful basis",
        "retention": "How long",
        "recipients": "Who received it",
        "nothing": "holds nothing on you.",
        "missing": "These systems did not answer in time, so what they hold is not in here; you may ask again:",
        "rights": "You may have wrong data corrected, object, ask to be forgotten, take this file elsewhere, "
        "and complain to a supervisory authority.",
        "records": "entries",
        "covers": "Which records this is about",
    },
    "zh": {
        "title": "我们持有的您的数据",
        "asked": "请求时间",
        "by": "答复方",
        "law": "依据法律",
        "purpose": "用途",
        "basis": "法律依据",
        "retention": "保存期限",
        "recipients": "接收方",
        "nothing": "没有您的数据。",
        "missing": "以下系统未能及时答复，它们持有的数据不在此文件中；您可以再次提出请求：",
        "rights": "您可以要求更正、反对处理、要求被遗忘、把此文件带到别处，并可向监管机构投诉。",
        "records": "条数",
        "covers": "本文件涉及的记录",
    },
}


def page(language: str, summary: Mapping[str, Any], answers: Sequence[HolderAnswer]) -> str:
    """A page that reads without a network, a script or a login."""
    return _PAGE.render(language=language, t=WORDS.get(language, WORDS["en"]), summary=summary, answers=answers)
