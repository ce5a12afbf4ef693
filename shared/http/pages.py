"""Pages: Jinja2 templates over one base page and one style sheet; no JavaScript, English and Chinese, light and dark."""

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qs

from fastapi import Request
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

Language = Literal["en", "zh"]
LANGUAGE_COOKIE = "kept_lang"
FORM_MARK = "form"  # the field by which a second click is told from a second wish: shared/http/forms.py
_HERE = Path(__file__).parent / "templates"
STYLE = (_HERE / "style.css").read_text(encoding="utf-8")

WORDS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "kept": "Kept",
        "customers": "Customers",
        "audit": "Audit",
        "approvals": "Approvals",
        "desk": "Requests",
        "backups": "Backups",
        "account": "My account",
        "portal": "Your data",
        "back": "Back to the start",
        "401": "Please sign in first.",
        "403": "This is not for you to do.",
        "404": "There is nothing here, or nothing that you may see.",
        "409": "That is not possible now.",
        "413": "That is too large.",
        "422": "Something in what you entered is not right.",
        "429": "Too many tries. Please wait a little.",
        "503": "A part of the system is away. Nothing was lost; please try again in a moment.",
        "500": "Something went wrong on our side.",
    },
    "zh": {
        "kept": "Kept",
        "customers": "客户",
        "audit": "审计",
        "approvals": "审批",
        "desk": "请求",
        "backups": "备份",
        "account": "我的账户",
        "portal": "您的数据",
        "back": "返回首页",
        "401": "请先登录。",
        "403": "您无权执行此操作。",
        "404": "这里没有内容，或没有您可以查看的内容。",
        "409": "现在无法这样做。",
        "413": "内容过大。",
        "422": "您输入的内容有误。",
        "429": "尝试次数过多，请稍候。",
        "503": "系统的一部分暂时不可用。没有任何数据丢失，请稍后再试。",
        "500": "我们这边出了问题。",
    },
}


def language_of(request: Request) -> Language:
    """`?lang=` first, else what it was last time (a cookie), else the first of en and zh in Accept-Language, else English."""
    for asked in (request.query_params.get("lang"), request.cookies.get(LANGUAGE_COOKIE)):
        if asked in ("en", "zh"):
            return "zh" if asked == "zh" else "en"
    for part in request.headers.get("accept-language", "").split(","):
        tag = part.partition(";")[0].strip().lower()
        if tag.startswith("zh"):
            return "zh"
        if tag.startswith("en"):
            return "en"
    return "en"


def remembered(query: bytes) -> list[tuple[bytes, bytes]]:
    """The cookie for a query that chooses a language, so that the next page speaks it too; nothing for any other."""
    chosen = parse_qs(query.decode("latin-1")).get("lang", [""])[0]
    if chosen not in ("en", "zh"):
        return []
    return [(b"set-cookie", f"{LANGUAGE_COOKIE}={chosen}; Path=/; Max-Age=31536000; SameSite=Lax; HttpOnly".encode())]


def pages(*directories: Path) -> Environment:
    """Templates of a service's rooms, over the common base page. Undefined names are errors; everything is escaped."""
    environment = Environment(
        loader=ChoiceLoader([FileSystemLoader([str(d) for d in directories]), FileSystemLoader(str(_HERE))]),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["t"] = translate
    environment.globals["form_mark"] = form_mark
    return environment


def form_mark() -> Markup:
    """Stands in every form that changes something: a fresh name for this showing of it."""
    return Markup('<input type="hidden" name="{}" value="{}">').format(FORM_MARK, secrets.token_urlsafe(16))


def translate(key: str, lang: str = "en") -> str:
    """The common word `key` in `lang`; the key itself where there is none."""
    return WORDS["zh" if lang == "zh" else "en"].get(key, key)


def plain_page(request: Request, status: int, code: str) -> str:
    """A page for an error."""
    lang = language_of(request)
    known = str(status) if str(status) in WORDS[lang] else ("500" if status >= 500 else "404")
    return _PLAIN.get_template("problem.html").render(lang=lang, status=status, text=translate(known, lang))


_PLAIN = pages()
