"""What the data plane answers to a packager that has candidates measured here; `sealift_runtime.measuring` decides."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import urllib.parse
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final

from sealift_core.bundle.digest import Digest
from sealift_core.clock import Clock
from sealift_core.errors import (
    BusyError,
    ConfigurationError,
    EngineError,
    IntegrityError,
    LimitError,
    NotFoundError,
    RequestError,
    SandboxError,
    SealiftError,
    SignatureError,
    StoreError,
)
from sealift_core.hardware.machine import Machine, detect_machine
from sealift_core.messages.measuring import FILES, JOBS, PATH, STEPS
from sealift_core.schema.documents import Json
from sealift_core.signing.keys import PrivateKey
from sealift_runtime.agent.home import Home
from sealift_runtime.engine.facts import machine_providers
from sealift_runtime.measuring.policy import MeasuringPolicy
from sealift_runtime.measuring.service import MeasurementService
from sealift_runtime.serving.http import Handler, HttpRequest, HttpResponse, json_response
from sealift_runtime.update.lock import HomeLock

#: The first that fits; everything else is the request's own fault.
_STATUS: Final[tuple[tuple[type[SealiftError], int], ...]] = (
    (ConfigurationError, 403),
    (SignatureError, 403),
    (NotFoundError, 404),
    (BusyError, 409),
    (LimitError, 413),
    (EngineError, 422),
    (IntegrityError, 422),
    (SandboxError, 503),
    (StoreError, 507),
    (SealiftError, 400),
)


def service_of(home: Home, clock: Clock, policy: MeasuringPolicy, updates: Callable[[], Sequence[str]]) -> MeasurementService:
    """The measurement service of a device. It waits for updates (``updates`` are those under way), and they for it."""

    @functools.cache
    def key() -> PrivateKey:
        return PrivateKey.load(home.device_key)

    @functools.cache
    def machine() -> Machine:
        return detect_machine(providers=machine_providers())

    @contextlib.contextmanager
    def undisturbed() -> Iterator[None]:
        with HomeLock(home.update_lock).hold():
            if names := updates():
                raise BusyError("an update is under way", where=str(home.directory), found=", ".join(names), advice="Try again when it has finished.")
            yield

    return MeasurementService(home.measuring, policy, key, machine, clock, undisturbed)


def measuring_routes(service: MeasurementService) -> dict[tuple[str, str], Handler]:
    """The routes over a measurement service."""

    def receive(request: HttpRequest) -> dict[str, Json]:
        query = dict(urllib.parse.parse_qsl(request.target.partition(b"?")[2].decode("latin-1")))
        offset = query.get("offset", "")
        if not (offset.isascii() and offset.isdigit() and len(offset) < 20):
            raise RequestError("not an offset", where="query: offset", expected="a number of bytes", found=repr(offset[:50]))
        service.receive(query.get("job", ""), Digest.parse(query.get("digest", "")), int(offset), bytes(request.body))
        return {}

    return {
        ("GET", PATH): _handler(lambda _: service.invite()),
        ("POST", JOBS): _handler(lambda request: service.begin(bytes(request.body))),
        ("PUT", FILES): _handler(receive),
        ("POST", STEPS): _handler(lambda request: service.step(bytes(request.body))),
    }


def _handler(action: Callable[[HttpRequest], dict[str, Json]]) -> Handler:
    """An action as a handler: on a thread, since it writes files and waits for processes."""

    def answer(request: HttpRequest) -> HttpResponse:
        try:
            return json_response(action(request))
        except SealiftError as error:
            status = next(code for error_type, code in _STATUS if isinstance(error, error_type))
            return json_response({"error": str(error), "kind": type(error).__name__}, status)

    def handle(request: HttpRequest) -> Awaitable[HttpResponse]:
        return asyncio.to_thread(answer, request)

    return handle
