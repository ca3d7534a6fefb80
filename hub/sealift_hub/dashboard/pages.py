"""The routes of the pages; each asks `fleet` one question and renders a template."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import jinja2
from fastapi import APIRouter, HTTPException, Query, Response
from fastapi.responses import HTMLResponse
from markupsafe import Markup
from sqlalchemy.orm import Session

import sealift_hub
from sealift_core.clock import Clock
from sealift_core.terminal.printable import printable
from sealift_hub.dashboard import charts, formatting
from sealift_hub.fleet import queries
from sealift_hub.fleet.health import health, state
from sealift_hub.fleet.views import DriftView, ModelView, WindowView
from sealift_hub.storage.database import Database

PAGE_DEVICES: Final = 100
#: Of one device, on its own page; and on that of the fleet.
PAGE_MODELS: Final = 20
FLEET_MODELS: Final = 10
CHART_WINDOWS: Final = 48
TABLE_WINDOWS: Final = 12
EVENTS: Final = 100

_FOLDER: Final = Path(__file__).parent
_ASSETS: Final[Mapping[str, tuple[str, bytes]]] = {
    name: (media_type, (_FOLDER / "assets" / name).read_bytes())
    for name, media_type in (("hub.css", "text/css; charset=utf-8"), ("mark.svg", "image/svg+xml"))
}
_ASSETS_VERSION: Final = hashlib.sha256(b"".join(data for _, data in _ASSETS.values())).hexdigest()[:12]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ModelPanel:
    """What the device page shows of one model.

    Attributes:
        model: The model.
        windows: Its windows, the newest first.
        drift: The newest window's drift; None without one.
        requests: The bars of a chart of requests, the oldest first.
        latency: The SVG paths of p50 and p99.
    """

    model: ModelView
    windows: tuple[WindowView, ...]
    drift: DriftView | None
    requests: tuple[charts.Bar, ...]
    latency: tuple[str, ...]


def router(database: Database, clock: Clock) -> APIRouter:
    """Make the routes of the pages and their assets.

    Args:
        database: What the pages show.
        clock: The time that ages are counted from.

    Returns:
        The routes, to be included in an application.
    """
    routes = APIRouter(default_response_class=HTMLResponse)

    @routes.get("/")
    def fleet(page: Annotated[int, Query(ge=1, le=10_000)] = 1) -> HTMLResponse:
        now = clock.now()
        with database.reading() as session:
            totals = queries.totals(session, now)
            views = queries.recent_devices(session, offset=(page - 1) * PAGE_DEVICES, limit=PAGE_DEVICES + 1)
        more = len(views) > PAGE_DEVICES
        return _render("fleet.html", now=now, totals=totals, devices=views[:PAGE_DEVICES], page=page, more=more, shown=FLEET_MODELS)

    @routes.get("/devices/{device_id}")
    def device(device_id: str, page: Annotated[int, Query(ge=1, le=10_000)] = 1) -> HTMLResponse:
        now, first = clock.now(), (page - 1) * PAGE_MODELS
        with database.reading() as session:
            view = queries.get_device(session, device_id)
            panels = [_panel(session, view.id, model) for model in view.models[first : first + PAGE_MODELS]]
            events = queries.newest_events(session, view.id, limit=EVENTS)
        more = len(view.models) > first + PAGE_MODELS
        return _render("device.html", now=now, device=view, panels=panels, events=events, shown=TABLE_WINDOWS, page=page, more=more)

    @routes.get("/assets/{name}")
    def asset(name: str) -> Response:
        if name not in _ASSETS:
            raise HTTPException(404)
        media_type, data = _ASSETS[name]
        return Response(data, media_type=media_type, headers={"cache-control": "public, max-age=31536000, immutable"})

    return routes


def problem_page(status: int, message: str) -> HTMLResponse:
    """Render an error as a page, for someone who came with a browser.

    Args:
        status: The HTTP status.
        message: What is wrong, in words.

    Returns:
        The page.
    """
    return _render("problem.html", status, now=None, message=message)


def _panel(session: Session, device_id: str, model: ModelView) -> ModelPanel:
    windows = queries.newest_windows(session, device_id, model.name, limit=CHART_WINDOWS)
    oldest_first = windows[::-1]
    return ModelPanel(
        model=model,
        windows=windows,
        drift=queries.newest_drift(session, device_id, model.name),
        requests=charts.bars([window.requests for window in oldest_first], CHART_WINDOWS),
        latency=charts.lines([[window.p50_ms for window in oldest_first], [window.p99_ms for window in oldest_first]], CHART_WINDOWS),
    )


def _finalize(value: object) -> object:
    """What a template puts on the page: text that devices wrote is made `printable`; that of a macro is markup already."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _environment() -> jinja2.Environment:
    loader = jinja2.FileSystemLoader(_FOLDER / "templates")
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_finalize
    )
    for filter_ in (
        formatting.ago,
        formatting.latency,
        formatting.count,
        formatting.plural,
        formatting.day_time,
        formatting.machine_time,
        formatting.fact_label,
        formatting.clipped,
        health,
        state,
    ):
        environment.filters[filter_.__name__] = filter_
    environment.globals |= {"charts": charts, "version": sealift_hub.__version__, "assets_version": _ASSETS_VERSION}
    return environment


_TEMPLATES: Final = _environment()


def _render(template: str, status: int = 200, **values: Any) -> HTMLResponse:
    return HTMLResponse(_TEMPLATES.get_template(template).render(values), status, headers={"cache-control": "no-store"})
