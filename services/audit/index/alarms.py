"""Alarms: what each kind says and what to do about it, in one place, in both languages; for which reasons one is put aside.

Pure. docs/runbooks/log.md and answers.md are the long form of the same words.
"""

import re
from collections.abc import Mapping
from typing import Literal, NamedTuple, get_args

from pydantic import BaseModel

from services.audit.index.facts import Facts
from shared.errors import InvalidInputError

RAISED, ACKNOWLEDGED = "kept.audit.alarm.raised.v1", "kept.audit.alarm.acknowledged.v1"
REFUSED = "kept.dsar.answer.refused.v1"  # somebody answered in a holder's name: dsar's alarm
# Shards of the topics that only audit and only dsar write. The same type on any other topic is nobody's alarm.
OWN, DSARS = r"^kept\.audit(~[0-9]+)?/[0-9]+$", r"^kept\.dsar(~[0-9]+)?/[0-9]+$"
_OWN = re.compile(OWN.strip("^$"))
_REFERENCE = re.compile(r"[A-Z][A-Z0-9]{0,9}-[0-9]{1,9}")  # of a ticket: an event in clear has no room for free text

Reason = Literal["planned", "repaired", "harmless", "incident"]
REASONS: Mapping[str, tuple[str, str]] = {
    "planned": ("we did this ourselves, on purpose", "这是我们有意为之"),
    "repaired": ("found out and put right", "已查明并修复"),
    "harmless": ("found out: no harm, nothing to put right", "已查明，没有影响，无需修复"),
    "incident": ("it is an incident, and is worked on as one", "属于安全事件，正在按事件处理"),
}


class Said(NamedTuple):
    """What happened, and what to do."""

    says: str
    do: str


ALARMS: Mapping[str, tuple[Said, Said]] = {
    "bad-note": (
        Said(
            "an answer was refused: the holder did not sign it",
            "Ask the holder's team whether they sent it. If not, somebody has its password for the broker: make a new one. "
            "See docs/runbooks/answers.md.",
        ),
        Said(
            "拒收答复：并非该持有方签名",
            "请询问该持有方的团队是否发送过此答复。若没有，则有人掌握其消息系统密码：请更换。见 docs/runbooks/answers.md。",
        ),
    ),
    "bad-receipt": (
        Said("a receipt was refused: the log's key does not prove it", "`kept audit verify`; then docs/runbooks/log.md."),
        Said("拒收回执：日志密钥不能证明", "运行 `kept audit verify`，然后参阅 docs/runbooks/log.md。"),
    ),
    "damaged": (
        Said(
            "files are not as they were signed",
            "Copy the shard's directory first. `kept audit verify` names the files; put them back from a copy, byte for byte.",
        ),
        Said("文件与签名不一致", "先备份该分片的目录。用 `kept audit verify` 找出文件，再从副本逐字节还原。"),
    ),
    "gap-by-retention": (
        Said(
            "the broker dropped records before they were logged",
            "They are lost. Give the topic a longer retention, and find out what kept the log from reading.",
        ),
        Said("消息在写入日志前已被消息系统删除", "这些消息已丢失。请延长该主题的保留时间，并查明日志为何未能及时读取。"),
    ),
    "gone-on": (
        Said("a stopped shard goes on as its next generation", "Somebody ran `kept audit go-on`: check that it was agreed."),
        Said("已停止的分片以新的一代继续", "有人运行了 `kept audit go-on`：请确认这是商定的。"),
    ),
    "late-record": (
        Said(
            "somebody published about a person after their erasure",
            "Nothing of what it said was kept. Tell the team that publishes there: they still hold this person's data.",
        ),
        Said("当事人被删除后，仍有关于其的消息发布", "消息内容没有保留。请通知在该主题发布消息的团队：他们仍持有此人的数据。"),
    ),
    "misplaced": (
        Said(
            "an answer was refused: not on its holder's topic",
            "`kept dlq list dsar` names the topic, and so the team that may write there: ask them.",
        ),
        Said("拒收答复：不在该持有方的主题上", "`kept dlq list dsar` 会显示该主题，从而得知哪个团队可以写入：请询问他们。"),
    ),
    "tampered": (
        Said(
            "what was written once reads differently: the shard stopped",
            "Copy the shard's directory first, then `kept audit verify`. Put lost files back and restart audit; "
            "if that can't be done, `kept audit go-on`.",
        ),
        Said(
            "已写入的内容发生变化：该分片已停止",
            "先备份该分片的目录，再运行 `kept audit verify`。还原文件后重启 audit；无法还原时运行 `kept audit go-on`。",
        ),
    ),
    "too-much": (
        Said(
            "a holder answered more on a person than is taken of one, and nothing was kept of it",
            "Ask the holder's team what they sent. If they do hold that much, hand it over by another way: the person's "
            "package goes without them, and says so. See docs/runbooks/answers.md.",
        ),
        Said(
            "持有方就一个人提供的数据超过上限，未予保存",
            "请询问该持有方的团队发送了什么。若确实持有这么多，请以其他方式交付：当事人的数据包将不含该持有方并予以说明。"
            "见 docs/runbooks/answers.md。",
        ),
    ),
    "topic-made-anew": (
        Said(
            "the broker has another history: the next generation began",
            "Find out who deleted the topic, or what the broker lost. The log itself goes on.",
        ),
        Said("消息系统的历史不同：已开始新的一代", "请查明是谁删除了主题，或消息系统丢失了什么。日志本身会继续。"),
    ),
    "unreadable": (
        Said(
            "what a holder says of a person cannot be read or shown, and was not kept",
            "Tell the holder's team: until they mend it the person's answer waits for them. See docs/runbooks/answers.md.",
        ),
        Said(
            "持有方就一个人提供的内容无法读取或显示，未予保存",
            "请通知该持有方的团队：在其修复之前，对当事人的答复会等待。见 docs/runbooks/answers.md。",
        ),
    ),
}
_UNKNOWN = (
    Said("something that this version has no words for", "See docs/runbooks/log.md of the version that raised it."),
    Said("本版本未知的警报", "请查阅发出警报的版本的 docs/runbooks/log.md。"),
)


class Acknowledgement(BaseModel):
    """Who put the alarm aside, when and why."""

    by: str
    at: str
    reason: str
    reference: str


class Alarm(BaseModel):
    """One alarm. `where`: the shard and offsets, or the holder and request. Open as long as nobody has acknowledged it."""

    id: str
    raised: str
    kind: str
    where: str
    says: str
    what_to_do: str
    acknowledged: Acknowledgement | None


def said_of(kind: str, lang: str) -> Said:
    """The words for a kind of alarm."""
    return ALARMS.get(kind, _UNKNOWN)[lang == "zh"]


def reasons_in(lang: str) -> dict[str, str]:
    """Code -> words, to choose from."""
    return {code: said[lang == "zh"] for code, said in REASONS.items()}


def checked(reason: str, reference: str) -> tuple[Reason, str]:
    """InvalidInputError where there is no reason, or the reference has room for more than a ticket's number."""
    for one in get_args(Reason):
        if reason == one:
            if reference and not _REFERENCE.fullmatch(reference):
                raise InvalidInputError("a ticket, such as OPS-1234, or nothing", field="reference")
            return one, reference
    raise InvalidInputError(f"one of {', '.join(get_args(Reason))}", field="reason")


def is_own(shard: str) -> bool:
    """Whether what the shard says of alarms counts: others may write the same type into their own topics."""
    return _OWN.fullmatch(shard) is not None


def acknowledged_by(facts: Facts) -> tuple[str, str, str, str, str] | None:
    """(alarm, when, who, reason, reference) of an event that acknowledges one."""
    alarm = facts.detail.get("alarm")
    if facts.type != ACKNOWLEDGED or not isinstance(alarm, str):
        return None
    reason, reference = str(facts.detail.get("reason", "")), str(facts.detail.get("reference", ""))
    return alarm, facts.time.isoformat(), facts.actor, reason, reference
