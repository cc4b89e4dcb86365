"""The desk as an application of the web: pages, REST, and how a request is refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from screening.errors import NightreadError, RecordsError
from worklist.api import router as api
from worklist.desk import Desk
from worklist.frames import BusyError
from worklist.pages import router as pages
from worklist.pages.welcome import remember_way
from worklist.refusal import RefusalError
from worklist.visitor import Looks

log = structlog.get_logger(__name__)

API = "/api/v1"
_DESCRIBED = f"{API}/openapi.json"
MOST_BODY_BYTES = 65_536
"""Of a request: a review's note is the longest that anybody has to say."""

_HEADERS = {
    # Nothing but our own files: no script and no style of a page's own.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    # Pages and images are patients': no browser keeps them.
    "Cache-Control": "no-store",
}
_DESCRIPTION = (
    "What the pages show, for machines. Not for diagnosis: a score orders the list, a radiologist "
    "reads every image. Every request for a study is an entry of the audit."
)


def make_app(desk: Desk) -> FastAPI:
    """Put the application together.

    Parameters
    ----------
    desk
        What its requests share.
    """
    app = FastAPI(
        title="Nightread",
        version="1",
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        # It would send a browser to the host that the request names, which is anybody's.
        redirect_slashes=False,
    )
    app.state.desk = desk
    app.openapi = lambda: _described(app)  # type: ignore[method-assign]
    app.get(_DESCRIBED, include_in_schema=False)(_describe)
    app.include_router(api, prefix=API)
    app.include_router(pages, include_in_schema=False)
    static = StaticFiles(directory=Path(__file__).parent / "static")
    app.mount("/static", static, name="static")
    app.middleware("http")(_guard)
    app.add_exception_handler(RefusalError, _refused)
    app.add_exception_handler(HTTPException, _not_found)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(NightreadError, _failed)
    app.add_exception_handler(Exception, _crashed)
    return app


def _describe(request: Request, visitor: Looks) -> Response:
    """Return the description, to whoever may ask for what it describes."""
    return JSONResponse(request.app.openapi())


def _described(app: FastAPI) -> dict[str, Any]:
    """Return OpenAPI's description, in which a study's time has no zone: DICOM's TM has none."""
    if app.openapi_schema is None:
        made = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        app.openapi_schema = _local_times(made)
    return app.openapi_schema


def _local_times(part: Any) -> Any:  # noqa: ANN401 - any part of JSON
    if isinstance(part, list):
        return [_local_times(each) for each in part]
    if not isinstance(part, dict):
        return part
    if part.get("format") == "time":
        return {"type": "string", "description": "Local, without a zone.", "examples": ["21:30:00"]}
    return {name: _local_times(value) for name, value in part.items()}


async def _guard(request: Request, call: Callable[[Request], Awaitable[Response]]) -> Response:
    """Refuse what is too large, and give every answer the headers that keep a browser careful."""
    length = request.headers.get("content-length", "0")
    if not length.isdigit() or int(length) > MOST_BODY_BYTES:
        response = _answer(request, 413, f"at most {MOST_BODY_BYTES} bytes are taken")
    elif "chunked" in request.headers.get("transfer-encoding", ""):
        response = _answer(request, 411, "say how long the body is: Content-Length")
    else:
        response = await call(request)
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    if request.url.path.startswith("/static/") and response.status_code < 400:
        response.headers["Cache-Control"] = "no-cache"
    return response


def _wants_page(request: Request) -> bool:
    return not request.url.path.startswith(API)


def _answer(request: Request, status: int, sentence: str) -> Response:
    """Refuse in the form in which it was asked: a page or JSON."""
    if not _wants_page(request):
        headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
        return JSONResponse({"detail": sentence}, status, headers)
    desk: Desk = request.app.state.desk
    values = {"status": status, "title": _phrase(status), "sentence": sentence}
    return desk.templates.TemplateResponse(request, "refusal.html", values, status)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusalError)
    if error.status == 401 and _wants_page(request):
        if request.headers.get("HX-Request"):
            return Response(status_code=401, headers={"HX-Redirect": "/sign-in"})
        response = RedirectResponse("/sign-in", 303)
        if request.method == "GET" and not request.headers.get("X-Live"):
            remember_way(request.app.state.desk, request, response)
        return response
    return _answer(request, error.status, str(error))


async def _not_found(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    sentence = "there is no such page" if error.status_code == 404 else str(error.detail)
    answer = _answer(request, error.status_code, sentence)
    for name, value in (error.headers or {}).items():
        answer.headers[name] = value
    return answer


async def _invalid(request: Request, error: Exception) -> Response:
    """Say which parameter is wrong, and not what stood in it: that may be a patient's name."""
    assert isinstance(error, RequestValidationError)
    wrong = "; ".join(
        f"{'.'.join(str(part) for part in each['loc'][1:]) or each['loc'][0]}: {each['msg']}"
        for each in error.errors()
    )
    return _answer(request, 422, wrong)


async def _failed(request: Request, error: Exception) -> Response:
    if isinstance(error, BusyError):
        return _answer(request, 503, str(error))
    log.error("request_failed", path=request.scope["path"], error=str(error))
    status = 503 if isinstance(error, RecordsError) else 500
    return _answer(request, status, "the desk cannot answer just now: its log says why")


async def _crashed(request: Request, error: Exception) -> Response:
    # Neither the message nor the values: a library's may quote what somebody typed.
    log.error("request_crashed", path=request.scope["path"], error=type(error).__name__)
    answer = _answer(request, 500, "the desk failed: its log says where")
    for name, value in _HEADERS.items():
        answer.headers.setdefault(name, value)
    return answer
