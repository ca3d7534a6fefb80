"""Every error of the HTTP side is ``{"error": …}``; here, and only here, an error gets its status."""

from __future__ import annotations

import logging
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from sealift_core import errors as runtime
from sealift_core.terminal.printable import printable
from sealift_hub import errors as hub
from sealift_hub.answers import PrintableJson
from sealift_hub.api.schemas import ErrorAnswer
from sealift_hub.dashboard import pages

_log = logging.getLogger("sealift.hub")

#: The first kind that fits an error decides.
STATUS: Final[tuple[tuple[type[Exception], int], ...]] = (
    (hub.UnknownDeviceError, 404),
    (hub.UnknownReportError, 404),
    (hub.GapError, 409),
    (hub.ForkError, 403),
    (hub.EnrolmentError, 400),
    (hub.DatabaseError, 503),
    (runtime.LimitError, 413),
    (runtime.IntegrityError, 403),
    (runtime.ReportError, 403),
    (runtime.SealiftError, 400),
)

RESPONSES: Final[dict[int | str, dict[str, Any]]] = {"4XX": {"model": ErrorAnswer, "description": "The request was refused; the body says why"}}


def status_of(error: runtime.SealiftError) -> int:
    """The HTTP status of an error."""
    return next(status for error_class, status in STATUS if isinstance(error, error_class))


def install(app: FastAPI) -> None:
    """Let every error of ``app`` be answered as said above; a page that people asked for gets a page."""
    app.add_exception_handler(runtime.SealiftError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _bug)


def _ours(request: Request, error: Exception) -> Response:
    if not isinstance(error, runtime.SealiftError):
        raise error
    status = status_of(error)
    if request.method in ("PUT", "POST") or status >= 500:
        _log.warning("%s %s: %d %s", request.method, request.url.path, status, error)
    more = {"acknowledged": error.acknowledged} if isinstance(error, hub.GapError) else {}
    return _answer(request, status, str(error), more)


def _invalid(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    problems = [f"{'.'.join(map(str, detail['loc']))}: {detail['msg']}" for detail in error.errors()]
    return _answer(request, 400, "; ".join(problems))


def _http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    reasons = {404: "no such page or endpoint", 405: f"{request.method} isn't allowed here"}
    return _answer(request, error.status_code, f"{request.url.path[:300]}: {reasons.get(error.status_code, error.detail)}", headers=error.headers)


def _bug(request: Request, _error: Exception) -> Response:
    return _answer(request, 500, "internal error; see the hub's log")


def _answer(request: Request, status: int, message: str, more: dict[str, int] | None = None, *, headers: Any = None) -> Response:
    message = printable(message)
    machine = request.url.path.startswith(("/api/", "/repository/", "/assets/")) or "text/html" not in request.headers.get("accept", "")
    if machine or request.method not in ("GET", "HEAD"):
        return PrintableJson({"error": message, **(more or {})}, status, headers=headers)
    return pages.problem_page(status, message)
