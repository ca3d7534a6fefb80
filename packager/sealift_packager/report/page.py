"""report.html: one page that loads nothing, light and dark. Pure."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from sealift_core.terminal.printable import printable
from sealift_packager.report.plots import WORST_NODES, bars, latencies, node_errors, tradeoff


def page(facts: dict[str, Any]) -> str:
    """The page for the facts of a build."""
    style = (Path(__file__).parent / "report.css").read_text(encoding="utf-8")
    title = f"{_text(facts['name'])} {_text(facts['version'])}"
    body = "\n".join(
        [
            _head(facts),
            *(f"<p class='note'>{_text(note)}</p>" for note in facts["notes"]),
            *(_profile(fact) for fact in facts["profiles"]),
            _foot(facts),
        ]
    )
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="color-scheme" content="light dark">\n<title>{title} · Sealift report</title>\n<style>\n{style}</style>\n</head>\n'
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _head(facts: dict[str, Any]) -> str:
    signed = f"signed by <code>{_text(facts['signed_by'][:16])}…</code>" if facts["signed_by"] else "not signed"
    links = "".join(f'<a href="#{_text(fact["profile"])}">{_text(fact["profile"])}</a>' for fact in facts["profiles"])
    description = f"<p class='lead'>{_text(facts['description'])}</p>" if facts["description"] else ""
    return (
        f"<header><p class='eyebrow'>Sealift · packaging report</p><h1>{_text(facts['name'])} <span>{_text(facts['version'])}</span></h1>"
        f"{description}"
        f"<p class='facts'>{_text(facts['created'])} · from {_text(facts['source']['framework'])} · {signed}</p>"
        + (f"<nav>{links}</nav>" if len(facts["profiles"]) > 1 else "")
        + "</header>"
    )


def _profile(profile: dict[str, Any]) -> str:
    name, candidates = _text(profile["profile"]), profile["candidates"]
    why, *others = profile["why"]
    sections = [
        f"<section class='profile' id='{name}'><h2>{name}</h2><p class='summary'>{_text(profile['summary'])}</p>",
        _tiles(candidates),
        f"<div class='card why'><p class='because'>{_text(why)}</p><ul>{''.join(f'<li>{_text(text)}</li>' for text in others)}</ul></div>",
        _figure("Accuracy against latency", "Lower and further to the left is better.", tradeoff(candidates, horizontal="latency"))
        or _figure("Accuracy against size", "Lower and further to the left is better.", tradeoff(candidates, horizontal="size")),
        "<div class='pair'>",
        _figure("Latency", "Line: 5 % to 95 %. Box: the middle half. Dot: 99th percentile.", latencies(candidates)),
        _figure("Throughput", "Rows per second, every core busy, at the best batch size.", _throughput(candidates)),
        _figure("Size on disk", "Graph and weights.", bars(candidates, "size_bytes", "kB", 1e-3, "Size of each candidate")),
        _figure(
            "Memory", "Peak memory of a separate process.", bars(candidates, "peak_memory_bytes", "MiB", 2**-20, "Peak memory of each candidate")
        ),
        _figure(
            "Load time",
            "Time until the model can take its first request.",
            bars(candidates, "load_time_ms", "ms", 1.0, "Load time of each candidate"),
        ),
        "</div>",
        "<div class='pair nodes'>",
        *(_figure(f"Error by node: {_text(candidate['name'])}", _nodes_note(candidate), node_errors(candidate)) for candidate in candidates),
        "</div>",
        _table(candidates),
        f"<p class='note'>Latency, memory and load time: {_text(profile['measured'])}.</p></section>",
    ]
    return "\n".join(filter(None, sections))


def _throughput(candidates: Sequence[dict[str, Any]]) -> str:
    measured = [candidate | {"rows_per_s": candidate["throughput"]["rows_per_s"]} for candidate in candidates if candidate["throughput"]]
    return bars(measured, "rows_per_s", "/s", 1.0, "Throughput of each candidate")


def _nodes_note(candidate: dict[str, Any]) -> str:
    errors = candidate["node_errors"]
    shown = f"The worst {WORST_NODES} of {len(errors)} nodes" if len(errors) > WORST_NODES else "Every node computed in int8"
    pale = " Pale nodes were reverted to a higher precision." if any(error["reverted"] for error in errors) else ""
    return f"{shown}: squared error of the node's output caused by int8 in that node alone, relative to the output's squares.{pale}"


def _tiles(candidates: Sequence[dict[str, Any]]) -> str:
    chosen = next(candidate for candidate in candidates if candidate["chosen"])
    fp32 = candidates[0]
    tiles = [("ships", chosen["name"], chosen["precision"] if chosen["precision"] != chosen["name"] else "")]
    if chosen["accuracy"]:
        accuracy = chosen["accuracy"]
        worst = accuracy["packaged_worst_row"]
        beside = f"source {accuracy['source']:.4g}" if worst is None else f"worst row {worst:.4g}"
        tiles.append((accuracy["metric"], f"{accuracy['packaged']:.4g}", beside))
    if chosen["latency_ms"]:
        tiles.append(("median latency", f"{chosen['latency_ms']['p50']:.3g} ms", f"p99 {chosen['latency_ms']['p99']:.3g} ms"))
    if chosen["speedup"]:
        speedup = chosen["speedup"]
        tiles.append(("against fp32", f"{speedup['median']:.2f}×", f"95 %: {speedup['low']:.2f} to {speedup['high']:.2f}"))
    if chosen["throughput"]:
        throughput = chosen["throughput"]
        tiles.append(("rows per second", f"{throughput['rows_per_s']:,.0f}", f"batches of {throughput['batch_size']}"))
    share = f"{chosen['size_bytes'] / fp32['size_bytes']:.0%} of fp32" if chosen is not fp32 and fp32["size_bytes"] else "graph and weights"
    tiles.append(("size", f"{chosen['size_bytes'] / 1000:,.0f} kB", share))
    cells = "".join(f"<div class='tile'><dt>{_text(a)}</dt><dd>{_text(b)}</dd><p>{_text(c)}</p></div>" for a, b, c in tiles)
    return f"<dl class='tiles'>{cells}</dl>"


def _figure(title: str, note: str, plot: str) -> str:
    return f"<figure class='card'><figcaption><b>{title}</b><span>{note}</span></figcaption>{plot}</figure>" if plot else ""


def _table(candidates: Sequence[dict[str, Any]]) -> str:
    head = "".join(f"<th>{name}</th>" for name in ("candidate", "loss", "p50 ms", "p99 ms", "× fp32", "size kB", "verdict"))
    rows = "".join(f"<tr{' class=chosen' if candidate['chosen'] else ''}>{''.join(_cells(candidate))}</tr>" for candidate in candidates)
    return f"<div class='card scroll'><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"


def _cells(candidate: dict[str, Any]) -> Iterable[str]:
    loss, latency, speed = candidate["accuracy"], candidate["latency_ms"], candidate["speedup"]
    yield f"<th scope=row>{_text(candidate['name'])}</th>"
    yield f"<td>{loss['loss']:.4g} <small>≤ {loss['loss_high']:.3g}</small></td>" if loss else "<td>–</td>"
    yield f"<td>{latency['p50']:.3g}</td><td>{latency['p99']:.3g}</td>" if latency else "<td>–</td><td>–</td>"
    yield f"<td>{speed['median']:.2f}</td>" if speed else "<td>–</td>"
    yield f"<td>{candidate['size_bytes'] / 1000:,.0f}</td>" if candidate["size_bytes"] else "<td>–</td>"
    yield f"<td class=verdict>{'<mark>chosen</mark> ' if candidate['chosen'] else ''}{_text(candidate['reason'])}</td>"


def _foot(facts: dict[str, Any]) -> str:
    tools = ", ".join(f"{_text(name)} {_text(version)}" for name, version in facts["tools"].items())
    digests = f"Release <code>{_text(facts['digest'])}</code><br>Source <code>{_text(facts['source']['digest'])}</code>"
    return f"<footer><p>{digests}</p><p>Built with {tools}. The same figures as JSON: <code>report.json</code>.</p></footer>"


def _text(value: object) -> str:
    return html.escape(printable(str(value)))
