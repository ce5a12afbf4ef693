"""The words of pages and mails in English and Chinese. A test holds both to the same keys."""

from collections.abc import Mapping
from typing import Literal

Language = Literal["en", "zh"]

EN: Mapping[str, str] = {
    "title": "Your data, your rights",
    "lead": "Ask {controller} what it holds on you, or ask to be forgotten. It costs nothing and needs no account.",
    "choose": "What do you want?",
    "access": "What do you hold on me?",
    "access.hint": "You get everything as one file: what, why, for how long, who received it, and who looked at it.",
    "erasure": "Forget me.",
    "erasure.hint": "Two people check the request. Then every system destroys your key, and you get a certificate.",
    "email": "Your e-mail address",
    "email.hint": "We send a code to it. We keep it encrypted, only for this request, and destroy it at the end.",
    "send": "Send me a code",
    "request": "Your request",
    "code.lead": "If you can read mail at the address you typed, a code is there now. Type it here.",
    "code": "Code (eight digits)",
    "code.send": "This is my code",
    "code.again": "Send a new code",
    "code.wrong": "That code is wrong, used or too old. Try again, or ask for a new one.",
    "code.sent": "A new code is on its way, unless several were sent already: then wait an hour.",
    "email.bad": "This is not an e-mail address.",
    "too.many": "There are too many requests just now. Please try again in a minute.",
    "state": "Where it stands",
    "state.received": "waiting for your code",
    "state.verified": "looking for you in every system",
    "state.assessed": "two people are checking it",
    "state.approved": "approved",
    "state.dispatched": "every system is at work",
    "state.answered": "your answer is ready",
    "state.delivered": "delivered",
    "state.refused": "not approved",
    "state.closed": "closed",
    "received": "Received",
    "due": "Answer at the latest",
    "law": "By the strictest law we keep",
    "reviewed": "law file last reviewed",
    "holders": "Systems asked",
    "holder": "System",
    "holder.answered": "answered",
    "holder.waiting": "not yet",
    "nothing": "Nothing is held on this address. Every system was asked.",
    "download": "Download my data",
    "download.lead": "One zip file with a page to read and the data to take elsewhere.",
    "passphrase": "Passphrase to encrypt it (optional)",
    "passphrase.hint": "With a passphrase you get an age file: open it with any age program. We do not keep it.",
    "recipient": "or your age recipient (optional)",
    "recipient.bad": "This is not an age recipient (age1…).",
    "certificate": "Download the certificate",
    "certificate.lead": "Every system has destroyed your key. The certificate proves it and can be checked offline.",
    "refused.lead": "The request was not approved. You may complain to a supervisory authority, or go to court.",
    "refresh": "Refresh",
    "close": "Close and destroy",
    "close.lead": "Closing destroys the answer and your address. You can ask again at any time.",
    "closed.lead": "This request is closed. Its keys are destroyed: nobody can read answer or address now.",
    "contact": "Questions",
    "language": "中文",
    "mail.code.subject": "Your code: {code}",
    "mail.code": "Your code is {code}. It is good for 15 minutes, once.\n\nType it here: {link}\n\n"
    "If you did not ask for it, do nothing: without the code nothing happens.\n",
    "mail.ready.subject": "Your answer is ready",
    "mail.ready": "The answer to your request is ready.\n\nSee it here: {link}\n",
    "mail.erased.subject": "You are forgotten",
    "mail.erased": "Every system that held data on you has destroyed your key.\n\nYour certificate: {link}\n\n"
    "We now destroy this address too; this is our last mail about it.\n",
    "mail.refused.subject": "Your request was not approved",
    "mail.refused": "Your request was not approved. You may complain to a supervisory authority, or go to court.\n\n{link}\n",
    "mail.extended.subject": "Your answer takes longer",
    "mail.extended": "Your request is complex or one of many. The law allows us more time; the new date stands here: {link}\n",
    "mail.closed.subject": "Your request is closed",
    "mail.closed": "Your request is closed. The answer and this address are destroyed; this is our last mail about it.\n",
}

ZH: Mapping[str, str] = {
    "title": "您的数据，您的权利",
    "lead": "向 {controller} 查询它持有您的哪些数据，或要求被遗忘。免费，无需账户。",
    "choose": "您想做什么？",
    "access": "你们持有我的哪些数据？",
    "access.hint": "您会得到一个文件：有什么、为什么、保存多久、提供给了谁、谁看过。",
    "erasure": "忘记我。",
    "erasure.hint": "由两个人核准。之后每个系统都销毁您的密钥，您会得到一份证书。",
    "email": "您的电子邮箱",
    "email.hint": "我们会向它发送验证码。邮箱加密保存，仅用于本次请求，结束时销毁。",
    "send": "发送验证码",
    "request": "您的请求",
    "code.lead": "如果您能查收所填邮箱的邮件，验证码已经发到那里。请在此输入。",
    "code": "验证码（八位数字）",
    "code.send": "提交验证码",
    "code.again": "重新发送验证码",
    "code.wrong": "验证码错误、已使用或已过期。请重试，或重新获取。",
    "code.sent": "新的验证码正在发送；如果已发送多次，请等待一小时。",
    "email.bad": "这不是有效的电子邮箱。",
    "too.many": "目前请求过多，请一分钟后再试。",
    "state": "进度",
    "state.received": "等待您的验证码",
    "state.verified": "正在每个系统中查找",
    "state.assessed": "两个人正在核准",
    "state.approved": "已核准",
    "state.dispatched": "各系统正在处理",
    "state.answered": "答复已准备好",
    "state.delivered": "已交付",
    "state.refused": "未获核准",
    "state.closed": "已关闭",
    "received": "收到时间",
    "due": "最迟答复",
    "law": "依据最严格的法律",
    "reviewed": "法律数据最近复核",
    "holders": "已询问的系统",
    "holder": "系统",
    "holder.answered": "已答复",
    "holder.waiting": "尚未答复",
    "nothing": "没有与此邮箱相关的数据。每个系统都已询问。",
    "download": "下载我的数据",
    "download.lead": "一个 zip 文件：既有可阅读的网页，也有可带走的数据。",
    "passphrase": "加密口令（可选）",
    "passphrase.hint": "填写口令后得到一个 age 文件，可用任何 age 程序打开。我们不保存口令。",
    "recipient": "或您的 age 公钥（可选）",
    "recipient.bad": "这不是有效的 age 公钥（age1…）。",
    "certificate": "下载证书",
    "certificate.lead": "每个系统都已销毁您的密钥。证书可离线验证。",
    "refused.lead": "请求未获核准。您可以向监管机构投诉，或向法院起诉。",
    "refresh": "刷新",
    "close": "关闭并销毁",
    "close.lead": "关闭会销毁答复和您的邮箱。您可以随时再次提出请求。",
    "closed.lead": "此请求已关闭，密钥已销毁：任何人都无法再读取答复或您的邮箱。",
    "contact": "联系",
    "language": "English",
    "mail.code.subject": "您的验证码：{code}",
    "mail.code": "您的验证码是 {code}，15 分钟内有效，仅可使用一次。\n\n请在此输入：{link}\n\n"
    "如果不是您本人的请求，请忽略：没有验证码，什么都不会发生。\n",
    "mail.ready.subject": "您的答复已准备好",
    "mail.ready": "您的请求已有答复。\n\n请在此查看：{link}\n",
    "mail.erased.subject": "您已被遗忘",
    "mail.erased": "每个持有您数据的系统都已销毁您的密钥。\n\n您的证书：{link}\n\n我们现在也销毁此邮箱；这是最后一封邮件。\n",
    "mail.refused.subject": "您的请求未获核准",
    "mail.refused": "您的请求未获核准。您可以向监管机构投诉，或向法院起诉。\n\n{link}\n",
    "mail.extended.subject": "答复需要更长时间",
    "mail.extended": "您的请求较复杂或数量较多，法律允许延长期限；新的日期见：{link}\n",
    "mail.closed.subject": "您的请求已关闭",
    "mail.closed": "您的请求已关闭。答复和此邮箱均已销毁；这是最后一封邮件。\n",
}

WORDS: Mapping[str, Mapping[str, str]] = {"en": EN, "zh": ZH}


def language_of(query: str | None, accept: str | None) -> Language:
    """`?lang=` first, else the first language of Accept-Language that we speak, else English."""
    if query in ("en", "zh"):
        return "zh" if query == "zh" else "en"
    for part in (accept or "").split(","):
        tag = part.split(";")[0].strip().lower()
        if tag.startswith("zh"):
            return "zh"
        if tag.startswith("en"):
            return "en"
    return "en"


def words(language: str, key: str, **values: str) -> str:
    """The text `key` in `language`."""
    return WORDS.get(language, EN)[key].format(**values)
