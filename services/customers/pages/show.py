"""Renders customers' pages in the reader's language."""

from pathlib import Path

from fastapi import Request
from fastapi.responses import HTMLResponse

from services.customers.pages.texts import TEXTS
from shared.http.pages import language_of, pages, translate


class Show:
    """`show(request, "list.html", ...)`. Never cached: the pages hold personal data."""

    def __init__(self) -> None:
        self._pages = pages(Path(__file__).parent / "templates")

    def __call__(
        self, request: Request, template: str, *, status: int = 200, staff: bool = True, **values: object
    ) -> HTMLResponse:
        lang = language_of(request)

        def t(key: str, in_lang: str = lang) -> str:
            return TEXTS[in_lang].get(key) or translate(key, in_lang)

        text = self._pages.get_template(template).render(t=t, lang=lang, staff=staff, **values)
        return HTMLResponse(text, status_code=status, headers={"Cache-Control": "no-store"})
