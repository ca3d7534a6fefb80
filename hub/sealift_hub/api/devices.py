"""``/api/v1/devices``: devices enrol and send their reports; people and programs ask what is known.

No ``from __future__ import annotations`` here: FastAPI reads the annotations, and some of them are made in a function.
"""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from sealift_core.clock import Clock
from sealift_core.messages.receipt import seal_receipt
from sealift_core.messages.report import DEVICE_ID
from sealift_core.signing.keys import Signer
from sealift_hub.api.bodies import BodyReader
from sealift_hub.api.schemas import DeviceAnswer, DevicesAnswer, ErrorAnswer, GapAnswer, ReceiptAnswer, ReportAnswer, ReportsAnswer
from sealift_hub.fleet import queries
from sealift_hub.ingest.intake import Intake, Source
from sealift_hub.limits import Limits
from sealift_hub.storage.database import Database

DeviceId = Annotated[str, Path(pattern=f"^{DEVICE_ID}$", description="The device's id: the SHA-256 of its public key in PEM form, in hex.")]
ShortId = Annotated[str, Path(pattern="^[0-9a-f]{8,64}$", description="The device's id, or as much of its beginning as tells it from the others.")]
Number = Annotated[int, Path(ge=1, le=2**63 - 1)]

_KEY = {"requestBody": {"required": True, "content": {"application/x-pem-file": {"schema": {"type": "string"}}}}}
_REPORT = {"requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object", "description": "A DSSE envelope."}}}}}


def router(database: Database, intake: Intake, signer: Signer, clock: Clock, limits: Limits) -> APIRouter:
    """The routes about devices; ``signer`` is the hub's key."""
    routes = APIRouter(prefix="/api/v1/devices", tags=["devices"])
    _add_intake(routes, intake, signer, limits)
    _add_devices(routes, database, clock, limits)
    _add_reports(routes, database, limits)
    return routes


def _add_intake(routes: APIRouter, intake: Intake, signer: Signer, limits: Limits) -> None:
    bodies, turn = BodyReader(limits), asyncio.Semaphore(limits.intakes)

    async def admit(request: Request) -> None:
        """Only a device that enrolled may send a report: the body of anybody else isn't read."""
        async with turn:
            await run_in_threadpool(intake.acknowledged, str(request.path_params["device_id"]))

    key_body, report_body = Depends(bodies.bounded(limits.key_bytes)), Depends(bodies.bounded(limits.report_bytes, admit))

    @routes.put("/{device_id}", openapi_extra=_KEY, response_model=ReceiptAnswer, status_code=201, responses={200: {"model": ReceiptAnswer}})
    async def enrol(device_id: DeviceId, pem: Annotated[bytes, key_body]) -> Response:
        """Enrol a device by its public key (PEM); 201 if it is new, 200 if it was known. Idempotent."""
        async with turn:
            taken = await run_in_threadpool(intake.enrol, device_id, pem)
        return Response(seal_receipt(taken.receipt, signer), 201 if taken.new else 200, media_type="application/json")

    refusals: dict[int | str, dict[str, object]] = {
        403: {"model": ErrorAnswer, "description": "The report isn't signed by the device, or it contradicts an earlier report"},
        409: {"model": GapAnswer, "description": "Reports before this one are missing"},
    }

    @routes.post("/{device_id}/reports", openapi_extra=_REPORT, response_model=ReceiptAnswer, responses=refusals)
    async def send_report(device_id: DeviceId, envelope: Annotated[bytes, report_body]) -> Response:
        """Accept one signed report, and answer with a receipt. A report that is sent again gets the same answer."""
        async with turn:
            taken = await run_in_threadpool(intake.receive, device_id, envelope, source=Source.HTTP)
        return Response(seal_receipt(taken.receipt, signer), media_type="application/json")


def _page_size(limits: Limits) -> Any:
    return Query(ge=1, le=limits.page_rows, description="Maximum number of entries on a page.")


def _add_devices(routes: APIRouter, database: Database, clock: Clock, limits: Limits) -> None:
    page_size = _page_size(limits)

    @routes.get("", response_model=DevicesAnswer)
    def list_devices(
        after: Annotated[str, Query(max_length=64, description="Return devices after this id.")] = "", limit: Annotated[int, page_size] = 100
    ) -> DevicesAnswer:
        """List devices in the order of their ids. A page may end early where its devices have very many models; `next` says where to go on."""
        with database.reading() as session:
            views = queries.list_devices(session, after=after, limit=limit, models=limits.page_models)
            more = bool(views) and queries.has_devices(session, after=views[-1].id)
        page = [DeviceAnswer.of(device, clock.now()) for device in views]
        return DevicesAnswer(devices=page, next=page[-1].id if more else None)

    @routes.get("/{device_id}", response_model=DeviceAnswer)
    def get_device(device_id: ShortId) -> DeviceAnswer:
        """Return what is known about one device."""
        with database.reading() as session:
            return DeviceAnswer.of(queries.get_device(session, device_id), clock.now())


def _add_reports(routes: APIRouter, database: Database, limits: Limits) -> None:
    page_size = _page_size(limits)

    @routes.get("/{device_id}/reports", response_model=ReportsAnswer)
    def list_reports(
        device_id: ShortId,
        after: Annotated[int, Query(ge=0, le=2**63 - 1, description="Return reports after this number.")] = 0,
        limit: Annotated[int, page_size] = 100,
    ) -> ReportsAnswer:
        """List the reports of a device in order."""
        with database.reading() as session:
            views = queries.list_reports(session, device_id, after=after, limit=limit + 1)
        page = [ReportAnswer.model_validate(report) for report in views[:limit]]
        return ReportsAnswer(reports=page, next=page[-1].number if len(views) > limit else None)

    sealed: dict[int | str, dict[str, object]] = {
        200: {"content": {"application/json": {}}, "description": "The DSSE envelope, byte for byte"},
    }

    @routes.get("/{device_id}/reports/{number}", response_class=Response, responses=sealed)
    def get_report(device_id: ShortId, number: Number) -> Response:
        """Return a report exactly as the device signed it, so that anyone can verify it again."""
        with database.reading() as session:
            return Response(queries.sealed_report(session, device_id, number), media_type="application/json")
