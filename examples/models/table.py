"""Results as docs/reference/compatibility.md. Pure but for the one file that it writes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HEAD = ("model", "family", "packed", "parity error", "candidates", "chosen", "score", "why", "seconds")


def write_table(results: Sequence[dict[str, Any]], profile: str, path: Path, names: Sequence[str] = ()) -> None:
    """Write the page; a model of ``names`` without a result keeps the line that the page has of it."""
    lines = {name: line for name, line in _kept(path).items() if name in names}
    lines |= {result["name"]: "| " + " | ".join(_cells(result)) + " |" for result in results}
    order = [name for name in names if name in lines] or list(lines)
    count = sum("| **no** |" not in line for line in lines.values())
    packed = [result for result in results if "chosen" in result]
    # a reader wants the processor; the build of its kernel is nobody's concern
    measured = re.sub(r"(, linux [0-9.]+)\S*", r"\1", next((result["measured"] for result in packed), "not measured"))
    text = (
        "# Which models pack\n\n"
        "This page shows how real models fare when you pack them: whether each packs, which candidate ships, and what that costs in accuracy.\n"
        "`make compat` writes it. It packs every model of `examples/models`, trained there or with its published weights, for\n"
        f"`{profile}` with the packager's defaults. Classifiers of images, faces and pitches may lose 0.3 points of accuracy, all\n"
        f"others 1 point. {count} of {len(lines)} models pack. A model that doesn't pack is listed with its error.\n\n"
        "- *parity error*: the bundle is served by the agent and asked with rows as a user has them, one row and then 50, and with a second\n"
        "  length where the length is free. What it answers is compared with what the source's own library answers for the same rows. The\n"
        "  number is the largest difference as a share of the range of the source's answers. A wrong label or NaN is an error. If what ships\n"
        "  isn't fp32, the number is that of the fp32 bundle, and the one of what ships stands behind it. *In process* marks lines that are\n"
        "  older: they compare source and fp32 graph on the holdout, without a server.\n"
        "- *candidates* lists each candidate with its speed-up over fp32 in paired runs, or a – if it has none.\n"
        "- *score* is the metric on the holdout: first of the source, then of what ships.\n"
        f"- Latency was {measured}.\n\n"
    )
    table = ["| " + " | ".join(HEAD) + " |", "|" + " --- |" * len(HEAD), *(lines[name] for name in order)]
    path.write_text(text + "\n".join(table) + "\n", encoding="utf-8")


def _kept(path: Path) -> dict[str, str]:
    """The lines of a page that is there, by the model's name."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return {
        line.split(" | ")[0].removeprefix("| "): line
        for line in text.splitlines()
        if line.startswith("| ") and not line.startswith(("| model |", "| --- |"))
    }


def _parity(result: dict[str, Any]) -> str:
    shipped = result.get("shipped")
    if shipped is None:
        return f"{result['parity']:.1e}"
    labels = f", {shipped['wrong']} of {shipped['labels']} labels" if shipped["labels"] else ""
    return f"{result['parity']:.1e}; {result['chosen']} {shipped['largest']:.1e}{labels}"


def _cells(result: dict[str, Any]) -> list[str]:
    seconds = f"{result['seconds']:.0f}" if "seconds" in result else ""
    if "chosen" not in result:
        return [result["name"], result["family"], "**no**", "", "", "", "", _plain(result["error"]), seconds]
    candidates = ", ".join(f"{tried['name']} {_speed(tried['speedup'])}" for tried in result["candidates"] if tried["name"] != "fp32") or "fp32 alone"
    size = f"{result['chosen']}, {result['kilobytes']:.0f} kB" + ("" if result["chosen"] == "fp32" else f" ({result['share']:.0%})")
    score = "" if result["metric"] is None else f"{result['metric']} {result['reference']:.4g} → {result['packaged']:.4g}"
    return [result["name"], result["family"], "yes", _parity(result), candidates, size, score, _plain(result["why"]), seconds]


def _speed(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}×"


def _plain(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")[:400]
