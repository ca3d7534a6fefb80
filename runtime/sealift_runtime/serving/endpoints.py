"""From a path to an answer: the protocol's endpoints, and whatever the agent adds."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import urllib.parse
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from sealift_core.errors import DocumentError, LimitError, RequestError, SealiftError
from sealift_runtime.inference.execution import CallResult
from sealift_runtime.inference.model import ServedModel
from sealift_runtime.inference.service import InferenceService
from sealift_runtime.inference.workers import WorkerJob
from sealift_runtime.serving import documents
from sealift_runtime.serving.answering import Reply
from sealift_runtime.serving.byte_budget import ByteBudget
from sealift_runtime.serving.calls import HttpCall, failure_response, size_of
from sealift_runtime.serving.decoding import RequestDecoder
from sealift_runtime.serving.http import Handler, HttpRequest, HttpResponse, error_response, json_response
from sealift_runtime.serving.limits import ServingLimits

Routes = Mapping[tuple[str, str], Handler]
METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_LOG: Final = logging.getLogger("sealift.serving")
_MAX_CACHED_ROUTES: Final = 1024
_READ: Final = ("GET", "HEAD")
_WRITE: Final = ("POST",)
_NOT_ALLOWED: Final = "the agent loads and unloads models from signed releases; change the channel or use sealift-agent instead"


@dataclasses.dataclass(frozen=True, slots=True)
class Route:
    """Where a path leads: an answer about the server, or (``model`` is set) about a model; ``infer`` is the hot one."""

    methods: tuple[str, ...]
    server: Callable[[], HttpResponse] | None = None
    about: Callable[[ServedModel], HttpResponse] | None = None
    model: str = ""
    version: str | None = None
    infer: bool = False


class Endpoints:
    """Answers requests. Lives on the event loop."""

    def __init__(
        self,
        service: InferenceService,
        *,
        limits: ServingLimits,
        budget: ByteBudget,
        routes: Routes,
        local_routes: Routes,
        metrics: Callable[[], str],
        is_ready: Callable[[], bool],
    ) -> None:
        self._service = service
        self._table = service.table
        self.limits = limits
        self._budget = budget
        self._decoder = RequestDecoder(json_depth=limits.json_depth, budget=limits.json_budget)
        self._routes = routes
        self._local_routes = local_routes
        self._metrics = metrics
        self._is_ready = is_ready
        self._cache: dict[bytes, Route] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def answer(self, request: HttpRequest, reply: Reply, *, local: bool) -> WorkerJob[CallResult[HttpResponse]] | None:
        """Call ``reply`` with the answer, now or later; a job is given back if a worker is at it."""
        try:
            route = self._cache.get(request.target)
            if route is None or not route.infer:
                handler = self._extra(request, local=local)
                if handler is not None:
                    self._call(handler, request, reply)
                    return None
                route = route or self._resolve(request)
            if request.method not in route.methods:
                reply(_wrong_method(request.method, route.methods), None)
            elif route.infer:
                return self._infer(route, request, reply)
            else:
                reply(self._about(route), None)
        except SealiftError as error:
            reply(error_to_response(error), None)
        except Exception:  # noqa: BLE001 - the outermost loop of the server; the client learns that it is our fault
            reply(internal_error(request), None)
        return None

    def _extra(self, request: HttpRequest, *, local: bool) -> Handler | None:
        """The handler of an added route; a path that has only other methods is refused."""
        path = request.path = split_path(request.target)[0]
        tables = (self._routes, self._local_routes) if local else (self._routes,)
        for table in tables:
            handler = table.get((request.method, path))
            if handler is not None:
                return handler
        others = tuple(method for table in tables for method, route_path in table if route_path == path)
        return (lambda _: _wrong_method(request.method, others)) if others else None

    def _call(self, handler: Handler, request: HttpRequest, reply: Reply) -> None:
        request.body = bytes(request.body)
        response = handler(request)
        if isinstance(response, HttpResponse):
            reply(response, None)
            return
        task = asyncio.ensure_future(self._finish(response, request, reply))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _finish(self, response: Awaitable[HttpResponse], request: HttpRequest, reply: Reply) -> None:
        try:
            reply(await response, None)
        except SealiftError as error:
            reply(error_to_response(error), None)
        except Exception:  # noqa: BLE001 - as above
            reply(internal_error(request), None)

    def _resolve(self, request: HttpRequest) -> Route:
        route = self._find(split_path(request.target)[1])
        if len(self._cache) >= _MAX_CACHED_ROUTES:
            self._cache = {}
        if not route.model or self._table.get(route.model):
            self._cache[request.target] = route
        return route

    def _find(self, segments: list[str]) -> Route:
        """The route of a path. `LookupError` never: an unknown path is a route to 404."""
        match segments:
            case ["v2"]:
                return Route(_READ, server=lambda: json_response(documents.server_metadata()))
            case ["v2", "health", "live"]:
                return Route(_READ, server=lambda: json_response({"live": True}))
            case ["v2", "health", "ready"]:
                return Route(_READ, server=self._ready)
            case ["v2", "models", "stats"]:
                return Route(_READ, server=lambda: json_response(documents.model_statistics(self._table.list())))
            case ["v2", "models", name, *rest]:
                return _model_route(name, rest)
            case ["v2", "repository", "index"]:
                return Route(_WRITE, server=lambda: json_response(documents.repository_index(self._table.list(), self._table.absences())))
            case ["v2", "repository", "models", _, "load" | "unload"]:
                return Route(_WRITE, server=lambda: error_response(403, _NOT_ALLOWED))
            case ["metrics"]:
                return Route(_READ, server=lambda: HttpResponse(200, self._metrics().encode(), METRICS_TYPE))
        return _NOWHERE

    def _ready(self) -> HttpResponse:
        if self._is_ready():
            return json_response({"ready": True})
        retry = (("retry-after", str(self.limits.retry_after_s)),)
        absent = [absent._asdict() for absent in self._table.absences()]
        return json_response({"ready": False} | ({"absent": absent} if absent else {}), 503, headers=retry)

    def _about(self, route: Route) -> HttpResponse:
        if route.server is not None:
            return route.server()
        model = self._table.get(route.model, route.version)
        assert route.about is not None
        return route.about(model) if model else failure_response(self._service.unknown(route.model, route.version), self.limits)

    def _infer(self, route: Route, request: HttpRequest, reply: Reply) -> WorkerJob[CallResult[HttpResponse]] | None:
        call = HttpCall(request, self._decoder, self.limits, self._budget)
        return self._service.submit(call, reply, model=route.model, version=route.version, size_bytes=size_of(request))


_NOWHERE: Final = Route((*_READ, *_WRITE), server=lambda: error_response(404, "no such path: see GET /v2 and the Open Inference Protocol"))
_ABOUT: Final[Mapping[str, Callable[[ServedModel], HttpResponse]]] = {
    "": lambda model: json_response(documents.model_metadata(model)),
    "ready": lambda model: json_response({"name": model.name, "ready": True}),
    "config": lambda model: json_response(documents.model_config(model)),
    "stats": lambda model: json_response(documents.model_statistics([model])),
}


def _model_route(name: str, rest: list[str]) -> Route:
    version = None
    if len(rest) >= 2 and rest[0] == "versions":
        version, rest = rest[1], rest[2:]
    action = rest[0] if rest else ""
    if len(rest) > 1 or not (action in _ABOUT or action == "infer"):
        return _NOWHERE
    if action == "infer":
        return Route(_WRITE, model=name, version=version, infer=True)
    return Route(_READ, about=_ABOUT[action], model=name, version=version)


def split_path(target: bytes) -> tuple[str, list[str]]:
    """A request target's path, percent-decoded, and its segments; the query is ignored.

    Segments are cut before decoding, so a quoted slash belongs to a name. Raises `RequestError` for what isn't UTF-8.
    """
    path = target.partition(b"?")[0].partition(b"#")[0]
    if not path.startswith(b"/") and b"://" in path:  # the absolute form, as proxies get it
        path = b"/" + path.split(b"://", 1)[1].partition(b"/")[2]
    try:
        segments = [urllib.parse.unquote_to_bytes(part).decode() for part in path.split(b"/") if part]
    except UnicodeDecodeError as error:
        raise RequestError("not UTF-8", where="path", found=repr(path)[:200]) from error
    return "/" + "/".join(segments), segments


def error_to_response(error: SealiftError) -> HttpResponse:
    """The response that an error of ours deserves."""
    if isinstance(error, LimitError):
        return error_response(413, str(error), close=True)
    status = 400 if isinstance(error, RequestError | DocumentError) else 500
    return error_response(status, str(error))


def internal_error(request: HttpRequest) -> HttpResponse:
    """The response to a fault of ours, which is logged with its traceback."""
    _LOG.exception("can't answer %s %r", request.method, request.target[:200])
    return error_response(500, "internal error; see the agent's log")


def _wrong_method(method: str, allowed: tuple[str, ...]) -> HttpResponse:
    words = ", ".join(allowed)
    return error_response(405, f"wrong method: expected {words}, found {method}", headers=(("allow", words),))
