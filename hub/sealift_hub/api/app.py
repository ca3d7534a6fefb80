"""Puts the HTTP side together."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fastapi import FastAPI, Request, Response

import sealift_hub
from sealift_core.clock import Clock, SystemClock
from sealift_core.http.hosts import AllowedHosts
from sealift_core.signing.keys import Signer
from sealift_hub.answers import PrintableJson
from sealift_hub.api import devices, problems
from sealift_hub.api.head import HeadAsGet
from sealift_hub.api.headers import SecurityHeaders
from sealift_hub.api.hosts import HostCheck
from sealift_hub.api.schemas import HealthAnswer
from sealift_hub.dashboard import pages
from sealift_hub.fleet import queries
from sealift_hub.ingest.intake import Intake
from sealift_hub.limits import DEFAULT_LIMITS, Limits
from sealift_hub.repository import serve
from sealift_hub.storage.database import Database

_DESCRIPTION: Final = """Collects the signed reports of a fleet, shows them, and serves the repository that devices update from.

Every error is `{"error": "…"}` with a message for the person who has to fix it."""


def make_app(
    database: Database,
    repository: Path | None,
    *,
    signer: Signer,
    hosts: AllowedHosts,
    clock: Clock | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> FastAPI:
    """Make the hub as an ASGI application.

    Args:
        database: The fleet's.
        repository: The directory of the repository that devices update from; None to serve none.
        signer: The hub's key, which signs receipts.
        hosts: The names that the hub answers under.
        clock: The time; None for the machine's.
        limits: Bounds of what comes from devices.

    Returns:
        The application.
    """
    clock = clock or SystemClock()
    app = FastAPI(
        title="Sealift Hub",
        version=sealift_hub.__version__,
        description=_DESCRIPTION,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # they load scripts from a CDN
        redoc_url=None,
        redirect_slashes=False,
        default_response_class=PrintableJson,
        responses=problems.RESPONSES,
    )
    problems.install(app)
    app.add_middleware(HeadAsGet)
    app.add_middleware(HostCheck, hosts=hosts)
    app.add_middleware(SecurityHeaders)
    app.include_router(devices.router(database, Intake(database, clock, limits), signer, clock, limits))
    app.include_router(pages.router(database, clock), include_in_schema=False)
    _add_health(app, database)
    if repository is not None:
        _add_repository(app, repository)
    return app


def _add_health(app: FastAPI, database: Database) -> None:
    @app.get("/healthz", tags=["health"], response_model=HealthAnswer, responses={503: {"description": "The database doesn't answer"}})
    def health() -> HealthAnswer:
        """Say whether the hub and its database answer."""
        with database.reading() as session:
            return HealthAnswer(status="ok", version=sealift_hub.__version__, devices=queries.count_devices(session))


def _add_repository(app: FastAPI, repository: Path) -> None:
    @app.api_route("/repository/{path:path}", methods=["GET", "HEAD"], tags=["repository"], response_class=Response)
    def repository_file(path: str, request: Request) -> Response:
        """Return a file of the repository: `index.json`, `oci-layout`, `metadata/NAME.json`, `blobs/sha256/HEX` (with Range)."""
        return serve.answer(repository, path, request)
