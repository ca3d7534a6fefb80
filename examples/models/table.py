"""Results as docs/reference/compatibility.md. Pure but for the one file that it writes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HEAD = ("model", "family", "packed", "parity error", "candidates", "chosen", "score", "why", "seconds")


def write_table(results: Sequence[dict[str, Any]], profile: str, path: Path) -> None:
    """Write the page."""
    packed = [result for result in results if "chosen" in result]
    # a reader wants the processor; the build of its kernel is nobody's concern
    measured = re.sub(r"(, linux [0-9.]+)\S*", r"\1", next((result["measured"] for result in packed), "not measured"))
    text = (
        "# Which models pack\n\n"
        "This page shows how real models fare when you pack them: whether each packs, which candidate ships, and what that costs in accuracy.\n"
        "`make compat` writes it. It packs every model of `examples/models`, trained there or with its published weights, for\n"
        f"`{profile}` with the packager's defaults. Classifiers of images, faces and pitches may lose 0.3 points of accuracy, all\n"
        f"others 1 point. {len(packed)} of {len(results)} models pack. A model that doesn't pack is listed with its error.\n\n"
        "- *parity error* is the largest difference between the source's answers and those of the fp32 graph on the holdout, relative to\n"
        "  the source's largest value. For published ONNX it is that between onnxruntime on the original file and the served bundle, at two\n"
        "  batch sizes and two lengths where the model takes them.\n"
        "- *candidates* lists each candidate with its speed-up over fp32 in paired runs, or a – if it has none.\n"
        "- *score* is the metric on the holdout: first of the source, then of what ships.\n"
        f"- Latency was {measured}.\n\n"
    )
    lines = ["| " + " | ".join(HEAD) + " |", "|" + " --- |" * len(HEAD), *("| " + " | ".join(_cells(result)) + " |" for result in results)]
    path.write_text(text + "\n".join(lines) + "\n", encoding="utf-8")


def _cells(result: dict[str, Any]) -> list[str]:
    seconds = f"{result['seconds']:.0f}" if "seconds" in result else ""
    if "chosen" not in result:
        return [result["name"], result["family"], "**no**", "", "", "", "", _plain(result["error"]), seconds]
    candidates = ", ".join(f"{tried['name']} {_speed(tried['speedup'])}" for tried in result["candidates"] if tried["name"] != "fp32") or "fp32 alone"
    parity = "" if result["parity"] is None else f"{result['parity']:.1e}"
    size = f"{result['chosen']}, {result['kilobytes']:.0f} kB" + ("" if result["chosen"] == "fp32" else f" ({result['share']:.0%})")
    score = "" if result["metric"] is None else f"{result['metric']} {result['reference']:.4g} → {result['packaged']:.4g}"
    return [result["name"], result["family"], "yes", parity, candidates, size, score, _plain(result["why"]), seconds]


def _speed(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}×"


def _plain(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")[:400]
