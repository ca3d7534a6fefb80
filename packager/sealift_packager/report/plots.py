"""Plots as inline SVG, coloured by the page's style sheet. Pure."""

from __future__ import annotations

import dataclasses
import html
import math
import os
from collections.abc import Sequence
from typing import Any, Final

from sealift_core.terminal.printable import printable

#: One user unit is about one pixel: the wide plot fills the page, the others half of it.
WIDE: Final = 1030
WIDTH: Final = 480
ROW_HEIGHT: Final = 30
LABEL: Final = 128
#: Room right of the rows for a number.
NUMBER: Final = 82
#: Room right of the wide plot for the budget's name and for labels.
MARGIN: Final = 120
#: How many of a model's nodes are shown, how high their rows are, and how long their names.
WORST_NODES: Final = 12
NODE_HEIGHT: Final = 22
NODE_CHARACTERS: Final = 28
#: About the width of a character.
CHARACTER: Final = 7.3
_GAP: Final = 17
_STEPS: Final = (1, 2, 2.5, 5, 10)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """A linear scale from values to pixels."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Where a value lies; values beyond the ends lie at the ends."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 2)

    def ticks(self, count: int = 5) -> list[float]:
        """Round numbers on the axis, about so many."""
        rough = (self.high - self.low) / count
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(size * power for size in _STEPS if size * power >= rough * 0.999)
        first = math.ceil(self.low / step - 1e-9)
        return [number * step for number in range(first, math.floor(self.high / step + 1e-9) + 1)]


def axis(low: float, high: float, start: float, end: float, *, margin: float = 0.06) -> Axis:
    """An axis over a range, with a margin on both sides, of some width even if the range has none."""
    spread = (high - low) or abs(high) or 1.0
    return Axis(low=low - margin * spread, high=high + margin * spread, start=start, end=end)


def tradeoff(candidates: Sequence[dict[str, Any]], *, horizontal: str) -> str:
    """Loss of accuracy (up) against latency or size (right), each candidate with its intervals, and the budget as a line."""
    points = [candidate for candidate in candidates if candidate["accuracy"] and _across(candidate, horizontal)]
    if len(points) < 2:
        return ""
    height, left, bottom = 320.0, 72.0, 268.0
    spans = [_across(point, horizontal) or (0.0, 0.0, 0.0) for point in points]
    across = axis(min(span[0] for span in spans), max(span[2] for span in spans), left, WIDE - MARGIN)
    losses = [point["accuracy"] for point in points]
    budget = losses[0]["budget"]
    up = axis(min(0.0, *(loss["loss_low"] for loss in losses)), max(budget, *(loss["loss_high"] for loss in losses)), bottom, 20)
    unit = "median latency, ms (5 % to 95 %)" if horizontal == "latency" else "size, kB"
    parts = [_grid(across, up, left, bottom), f'<line class="budget" x1="{left}" x2="{WIDE - MARGIN}" y1="{up.at(budget)}" y2="{up.at(budget)}"/>']
    parts.append(f'<text class="budget-text" x="{WIDE - MARGIN + 6}" y="{up.at(budget) + 4}">budget {budget:.3g}</text>')
    labels: list[tuple[float, float]] = []
    ranked = sorted(zip(points, spans, strict=True), key=lambda pair: (not pair[0]["chosen"], pair[0]["name"]))
    parts += reversed([_point(candidate, span, across, up, labels) for candidate, span in ranked])  # the chosen one is labelled first and lies on top
    parts.append(f'<text class="axis-title" x="{(left + WIDE - MARGIN) / 2}" y="{bottom + 42}" text-anchor="middle">{unit}</text>')
    turned = f'class="axis-title" transform="translate(14 {bottom / 2 + 20}) rotate(-90)" text-anchor="middle"'
    parts.append(f"<text {turned}>loss of {_text(losses[0]['metric'])}</text>")
    return _svg(WIDE, height, parts, f"Loss of accuracy against {horizontal} of each candidate")


def _across(candidate: dict[str, Any], horizontal: str) -> tuple[float, float, float] | None:
    if horizontal == "latency":
        latency = candidate["latency_ms"]
        return (latency["p5"], latency["p50"], latency["p95"]) if latency else None
    size = candidate["size_bytes"] / 1000
    return (size, size, size) if size else None


def _point(candidate: dict[str, Any], span: tuple[float, float, float], across: Axis, up: Axis, labels: list[tuple[float, float]]) -> str:
    loss, x, y = candidate["accuracy"], across.at(span[1]), up.at(candidate["accuracy"]["loss"])
    name, css_class = _text(candidate["name"]), _css_class(candidate)
    label = _free(x, y, labels)
    leader = f'<line class="leader" x1="{x + 7}" y1="{y}" x2="{x + 14}" y2="{label - 4}"/>' if abs(label - 4 - y) > 8 else ""
    return (
        f'<g class="{css_class}"><title>{name}: {_text(candidate["reason"])}</title>'
        f'<line class="spread" x1="{across.at(span[0])}" x2="{across.at(span[2])}" y1="{y}" y2="{y}"/>'
        f'<line class="spread" x1="{x}" x2="{x}" y1="{up.at(loss["loss_low"])}" y2="{up.at(loss["loss_high"])}"/>'
        f'{leader}<circle cx="{x}" cy="{y}" r="{7 if candidate["chosen"] else 5}"/><text x="{x + 15}" y="{label}">{name}</text></g>'
    )


def _free(x: float, y: float, labels: list[tuple[float, float]]) -> float:
    """A height for a label where none stands yet: beside the point, else the next one above or below."""
    for step in range(40):
        for sign in (-1, 1):
            place = y + 4 + sign * step * _GAP / 2 - (10 if step == 0 else 0)
            if all(abs(place - other_y) >= _GAP - 2 or abs(x - other_x) > 2 * LABEL for other_x, other_y in labels) and 12 < place < 262:
                labels.append((x, place))
                return round(place, 1)
    return y


def latencies(candidates: Sequence[dict[str, Any]]) -> str:
    """Each candidate's latency: 5 % to 95 % as a line, the middle half as a box, the median as a tick, the 99th percentile as a dot.

    A 99th percentile beyond the scale is an arrow at its end, with the number.
    """
    measured = [candidate for candidate in candidates if candidate["latency_ms"]]
    if not measured:
        return ""
    figures = [candidate["latency_ms"] for candidate in measured]
    scale = axis(0, max(min(figure["p99"], 2 * figure["p95"]) for figure in figures), LABEL, WIDTH - NUMBER, margin=0)
    parts = [_columns(scale, len(measured) * ROW_HEIGHT + 8)]
    for number, (candidate, latency) in enumerate(zip(measured, figures, strict=True)):
        y = number * ROW_HEIGHT + 22
        at = {name: scale.at(latency[name]) for name in ("p5", "p25", "p50", "p75", "p95", "p99")}
        middle, title = latency["p50"], f"p50 {latency['p50']:.4g} ms, p99 {latency['p99']:.4g} ms, {latency['runs']} runs"
        dot = f'<circle cx="{at["p99"]}" cy="{y}" r="3.5"/>' if latency["p99"] <= scale.high else _beyond(scale, y, latency["p99"])
        parts.append(
            f'<g class="{_css_class(candidate)}"><title>{_text(candidate["name"])}: {title}</title>'
            f'{_name(candidate, y)}<line x1="{at["p5"]}" x2="{at["p95"]}" y1="{y}" y2="{y}"/>'
            f'<rect x="{at["p25"]}" y="{y - 7}" width="{max(1.5, at["p75"] - at["p25"]):.2f}" height="14" rx="3"/>'
            f'<line class="median" x1="{at["p50"]}" x2="{at["p50"]}" y1="{y - 9}" y2="{y + 9}"/>{dot}{_value(f"{middle:.3g} ms", y)}</g>'
        )
    return _svg(WIDTH, len(measured) * ROW_HEIGHT + 40, parts, "Latency of each candidate")


def _beyond(scale: Axis, y: float, p99: float) -> str:
    """An arrow at the end of the scale for a 99th percentile that lies beyond it, with the number."""
    tip = scale.end + 6
    arrow = f'<path class="beyond" d="M{scale.end - 3} {y - 5} L{tip} {y} L{scale.end - 3} {y + 5} Z"/>'
    return f'{arrow}<text class="tick" x="{scale.end - 8}" y="{y - 7}" text-anchor="end">p99 {p99:.3g} ms</text>'


def bars(candidates: Sequence[dict[str, Any]], key: str, unit: str, factor: float, title: str) -> str:
    """A bar per candidate, for a figure that has no spread."""
    measured = [(candidate, candidate[key] * factor) for candidate in candidates if candidate[key]]
    if not measured:
        return ""
    scale = axis(0, max(value for _, value in measured), LABEL, WIDTH - NUMBER, margin=0)
    parts = [_columns(scale, len(measured) * ROW_HEIGHT + 8)]
    for number, (candidate, value) in enumerate(measured):
        y = number * ROW_HEIGHT + 22
        bar = f'<rect class="bar" x="{LABEL}" y="{y - 8}" width="{max(1.0, scale.at(value) - LABEL):.2f}" height="16" rx="3"/>'
        number_text = _value(f"{value:,.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}", y)
        parts.append(f'<g class="{_css_class(candidate)}"><title>{_text(candidate["name"])}</title>{_name(candidate, y)}{bar}{number_text}</g>')
    return _svg(WIDTH, len(measured) * ROW_HEIGHT + 40, parts, title)


def node_errors(candidate: dict[str, Any]) -> str:
    """A bar for each of a candidate's worst nodes; those that it spares are pale."""
    worst = candidate["node_errors"][:WORST_NODES]
    if not worst:
        return ""
    names = short_names([error["node"] for error in worst])
    left = max(LABEL, CHARACTER * max(map(len, names)) + 12)
    scale = axis(0, max(error["relative_squared_error"] for error in worst) or 1.0, left, WIDTH - NUMBER, margin=0)
    parts = [_columns(scale, len(worst) * NODE_HEIGHT + 8, ticks=3)]
    for number, (error, shown) in enumerate(zip(worst, names, strict=True)):
        y, value = number * NODE_HEIGHT + 18, error["relative_squared_error"]
        css_class = f"{_css_class(candidate)} reverted" if error["reverted"] else _css_class(candidate)
        bar = f'<rect class="bar" x="{left}" y="{y - 6}" width="{max(1.0, scale.at(value) - left):.2f}" height="12" rx="3"/>'
        name = f'<text class="name" x="{left - 12}" y="{y + 4}" text-anchor="end">{_text(shown)}</text>'
        parts.append(f'<g class="{css_class}"><title>{_text(error["node"])}: {value:.3g}</title>{name}{bar}{_value(f"{value:.2g}", y)}</g>')
    return _svg(WIDTH, len(worst) * NODE_HEIGHT + 36, parts, f"Error by node of {candidate['name']}")


def short_names(names: Sequence[str]) -> list[str]:
    """Nodes' names without the folder that all are in, and without their middle where they are long: their ends tell them apart."""
    prefix = os.path.commonprefix(list(names)).rpartition("/")  # noqa: RUF071  (cut at the last slash)
    rest = [name[len(prefix[0] + prefix[1]) :] for name in names]
    half = NODE_CHARACTERS // 2
    return [name if len(name) <= NODE_CHARACTERS else f"{name[: half - 1]}…{name[-half:]}" for name in rest]


def _name(candidate: dict[str, Any], y: float) -> str:
    return f'<text class="name" x="{LABEL - 12}" y="{y + 4}" text-anchor="end">{_text(candidate["name"])}</text>'


def _value(text: str, y: float) -> str:
    return f'<text class="value" x="{WIDTH}" y="{y + 4}" text-anchor="end">{_text(text)}</text>'


def _columns(scale: Axis, height: float, *, ticks: int = 5) -> str:
    lines = [
        f'<line class="grid" x1="{scale.at(tick)}" x2="{scale.at(tick)}" y1="4" y2="{height}"/>'
        f'<text class="tick" x="{scale.at(tick)}" y="{height + 18}" text-anchor="middle">{_tick(tick)}</text>'
        for tick in scale.ticks(ticks)
    ]
    return "".join(lines)


def _grid(across: Axis, up: Axis, left: float, bottom: float) -> str:
    lines = [
        f'<line class="grid" x1="{left}" x2="{across.end}" y1="{up.at(tick)}" y2="{up.at(tick)}"/>'
        f'<text class="tick" x="{left - 8}" y="{up.at(tick) + 4}" text-anchor="end">{_tick(tick)}</text>'
        for tick in up.ticks()
    ]
    lines += [
        f'<line class="grid" x1="{across.at(tick)}" x2="{across.at(tick)}" y1="20" y2="{bottom}"/>'
        f'<text class="tick" x="{across.at(tick)}" y="{bottom + 18}" text-anchor="middle">{_tick(tick)}</text>'
        for tick in across.ticks(6)
    ]
    return "".join(lines)


def _tick(value: float) -> str:
    return "0" if abs(value) < 1e-12 else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _css_class(candidate: dict[str, Any]) -> str:
    passes = candidate["chosen"] or candidate["reason"].startswith("passes")
    return "chosen" if candidate["chosen"] else "passing" if passes else "failing"


def _svg(width: int, height: float, parts: Sequence[str], title: str) -> str:
    return f'<svg viewBox="0 0 {width} {height:g}" role="img" aria-label="{_text(title)}">{"".join(parts)}</svg>'


def _text(value: object) -> str:
    return html.escape(printable(str(value)))
