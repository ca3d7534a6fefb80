"""What the data plane answers on its private socket, beside the protocol; `admin_client` is the other side.

Only the home's owner can open the socket (its mode is 0600), and no route here is reachable over TCP.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from sealift_core.errors import SealiftError
from sealift_core.messages.health import Trouble
from sealift_core.schema.documents import Document
from sealift_runtime.agent.admin_client import ACKNOWLEDGE, CHECKED, COUNTERS, FAULTS, FOLLOW, GENERATION, HEALTH, MODELS, WINDOWS
from sealift_runtime.serving.http import Handler, HttpRequest, HttpResponse, json_response
from sealift_runtime.update.desired import DesiredState

if TYPE_CHECKING:
    from sealift_runtime.agent.data_plane import DataPlane

#: A desired state, with what is sent beside it.
MAX_BODY_BYTES = 5 * 2**20


def admin_routes(plane: DataPlane) -> dict[tuple[str, str], Handler]:
    """The routes over one data plane."""

    def follow(body: Document) -> dict[str, Any]:
        desired = DesiredState.from_document(body.document("desired"), bundles=plane.store.bundles)
        plane.follow(desired, body.text("model", ""), body.text("checked", "") or None)
        return {}

    def generation(_: Document) -> dict[str, Any]:
        return {"generation": plane.generation}

    def checked(_: Document) -> dict[str, Any]:
        states = plane.checked()
        return {"checked": None if states is None else {digest.hex: state for digest, state in states.items()}}

    def counters(body: Document) -> dict[str, Any]:
        counts = plane.counters(body.text("model"))
        return {"serving": dataclasses.asdict(counts) if counts else None}

    def windows(_: Document) -> dict[str, Any]:
        return {"windows": [window.json() for window in plane.monitors.windows()]}

    def acknowledge(body: Document) -> dict[str, Any]:
        newest = body.document("newest")
        plane.monitors.acknowledge({stream: newest.integer(stream, minimum=0) for stream in newest.names()})
        return {}

    def faults(body: Document) -> dict[str, Any]:
        plane.faults.acknowledge(body.integer("acknowledged", 0, minimum=0))
        return {"faults": [fault.json() for fault in plane.faults.told()]}

    def health(body: Document) -> dict[str, Any]:
        plane.monitors.troubles = body.texts("troubles", one_of=tuple(Trouble))
        return {}

    def models(_: Document) -> dict[str, Any]:
        return {"models": plane.monitors.summary(), "absent": [absent._asdict() for absent in plane.table.absences()]}

    actions = {
        FOLLOW: follow,
        GENERATION: generation,
        CHECKED: checked,
        COUNTERS: counters,
        FAULTS: faults,
        HEALTH: health,
        WINDOWS: windows,
        ACKNOWLEDGE: acknowledge,
        MODELS: models,
    }
    return {("POST", path): _handler(action) for path, action in actions.items()}


def _handler(action: Callable[[Document], dict[str, Any]]) -> Handler:
    """An action as a handler: on a thread, since it may load a model or count a window."""

    def answer(body: bytes) -> HttpResponse:
        try:
            return json_response(action(Document.parse_json(body, where="admin request", max_bytes=MAX_BODY_BYTES)))
        except SealiftError as error:
            return json_response({"error": str(error), "kind": type(error).__name__}, 422)

    def handle(request: HttpRequest) -> Awaitable[HttpResponse]:
        return asyncio.to_thread(answer, bytes(request.body))

    return handle
