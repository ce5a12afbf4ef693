"""Errors as answers: `application/problem+json` (RFC 9457), or a plain page for a browser. The only place that maps them."""

import json
import logging
import re
from http import HTTPStatus
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from pydantic import BaseModel, Field
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException

from shared.errors import InvalidInputError, KeptError, TooManyError, UnavailableError
from shared.http.pages import plain_page
from shared.once import AnsweredBefore

log = logging.getLogger("kept.http")
TYPE = "https://kept.example/problems/{code}"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}(\.([A-Za-z_][A-Za-z0-9_-]{0,63}|[0-9]{1,4}))*")


class Problem(BaseModel):
    """Why it was not done (RFC 9457). `code` is stable; `field` names what of the input is not right."""

    type: str = Field(examples=["https://kept.example/problems/invalid-input"])
    title: str = Field(examples=["Unprocessable Content"])
    status: int = Field(examples=[422])
    code: str = Field(examples=["invalid-input"])
    detail: str = Field(examples=["not an e-mail address"])
    field: str | None = Field(default=None, examples=["email"])


def _documented(about: str) -> dict[str, object]:
    return {"description": about, "content": {"application/problem+json": {"schema": Problem.model_json_schema()}}}


# What every operation may answer, as OpenAPI says it. 422 stands by itself: FastAPI would describe its own shape there.
DOCUMENTED: dict[int | str, dict[str, object]] = {
    422: _documented("something in the request is not right; `field` says what"),
    "default": _documented("refused, or a part is away (503 with Retry-After); `code` says why"),
}


def wants_page(request: Request) -> bool:
    """Whether a browser asks for a page."""
    return not request.url.path.startswith("/api/") and "text/html" in request.headers.get("accept", "")


def _named(field: str) -> str:
    """`field`, unless it is no name at all: whoever sent a value where a name belongs does not get it back (P1)."""
    return field if _NAME.fullmatch(field) else "a name that is none"


def answer(request: Request, status: int, code: str, detail: str, *, field: str = "", retry_after: int = 0) -> Response:
    """The answer for an error: never a traceback, never a value."""
    headers = {"Retry-After": str(retry_after)} if retry_after else {}
    if wants_page(request):
        if status == HTTPStatus.UNAUTHORIZED and request.method == "GET":
            return RedirectResponse(f"/signin?next={quote(request.url.path)}", status_code=303)
        return HTMLResponse(plain_page(request, status, code), status_code=status, headers=headers)
    body: dict[str, object] = {
        "type": TYPE.format(code=code),
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
    }
    if field:
        body["field"] = _named(field)
    return JSONResponse(body, status_code=status, headers=headers, media_type="application/problem+json")


def location(path: str, status: int, id_: object) -> dict[str, str]:
    """Where what a POST to the collection at `path` began can be looked at (RFC 9110 section 15.3.2): beside its siblings."""
    return {"Location": f"{path}/{id_}"} if status in (201, 202) and isinstance(id_, str) else {}


def install(app: FastAPI) -> None:
    """Register the handlers on `app`; what none of them takes is a defect, and shared/http/edge.py answers it."""

    @app.exception_handler(KeptError)
    async def kept(request: Request, error: KeptError) -> Response:
        if error.status >= 500 and not isinstance(error, UnavailableError):
            log.error("%s", error.code, exc_info=error)
            return answer(request, error.status, error.code, "Something is wrong on our side.")
        wait = error.retry_after if isinstance(error, UnavailableError | TooManyError) else 0
        field = error.field if isinstance(error, InvalidInputError) else ""
        return answer(request, error.status, error.code, error.detail, field=field, retry_after=wait)

    @app.exception_handler(AnsweredBefore)
    async def answered(request: Request, error: AnsweredBefore) -> Response:
        if error.status == HTTPStatus.SEE_OTHER:  # a form's: shared/http/forms.py
            return RedirectResponse(json.loads(error.body)["location"], status_code=error.status)
        headers = {"Idempotency-Replayed": "true"}
        headers |= location(request.url.path, error.status, json.loads(error.body).get("id"))
        return Response(error.body, status_code=error.status, headers=headers, media_type="application/json")

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        field = _named(".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0]))
        return answer(request, 422, "invalid-input", f"{field}: {first['msg']}", field=field)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        if isinstance(error.__cause__, KeptError):  # FastAPI calls everything that breaks the reading of a body a 400
            return await kept(request, error.__cause__)
        code = {404: "not-found", 405: "method-not-allowed", 413: "too-large"}.get(error.status_code, "refused")
        response = answer(request, error.status_code, code, HTTPStatus(error.status_code).phrase)
        response.headers.update(error.headers or {})  # a 405 names what is allowed
        return response

    @app.exception_handler(PoolTimeoutError)
    async def busy(request: Request, error: PoolTimeoutError) -> Response:
        return answer(request, 503, "unavailable", "The database is away.", retry_after=2)

    @app.exception_handler(DBAPIError)
    async def database(request: Request, error: DBAPIError) -> Response:
        if error.connection_invalidated or isinstance(error, OperationalError | InterfaceError):
            return answer(request, 503, "unavailable", "The database is away.", retry_after=2)
        log.error("database", exc_info=error)
        return answer(request, 500, "internal", "Something is wrong on our side.")
