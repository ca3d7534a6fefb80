"""Results as docs/reference/compatibility.md. Pure but for the one file that it writes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HEAD = ("model", "family", "packed", "parity error", "candidates", "chosen", "score", "why", "seconds")


def write_table(rows: Sequence[dict[str, Any]], profile: str, path: Path) -> None:
    """Write the page."""
    packed = [row for row in rows if "chosen" in row]
    # a reader wants the processor; the build of its kernel is nobody's concern
    measured = re.sub(r"(, linux [0-9.]+)\S*", r"\1", next((row["measured"] for row in packed), "not measured"))
    text = (
        "# Which models pack\n\n"
        "This page shows how real models fare when you pack them: whether each packs, which candidate ships, and what that costs in accuracy.\n"
        "`make compat` writes it. It packs every model of `examples/models`, trained there or with its published weights, for\n"
        f"`{profile}` with the packager's defaults. Classifiers of images, faces and pitches may lose 0.3 points of accuracy, all\n"
        f"others 1 point. {len(packed)} of {len(rows)} models pack. A model that doesn't pack is listed with its error.\n\n"
        "- *parity error* is the largest difference between the source's answers and those of the fp32 graph on the holdout, relative to\n"
        "  the source's largest value.\n"
        "- *candidates* lists each candidate with its speed-up over fp32 in paired runs, or a – if it has none.\n"
        "- *score* is the metric on the holdout: first of the source, then of what ships.\n"
        f"- Latency was {measured}.\n\n"
    )
    lines = ["| " + " | ".join(HEAD) + " |", "|" + " --- |" * len(HEAD), *("| " + " | ".join(_cells(row)) + " |" for row in rows)]
    path.write_text(text + "\n".join(lines) + "\n", encoding="utf-8")


def _cells(row: dict[str, Any]) -> list[str]:
    seconds = f"{row['seconds']:.0f}" if "seconds" in row else ""
    if "chosen" not in row:
        return [row["name"], row["family"], "**no**", "", "", "", "", _plain(row["error"]), seconds]
    tried = ", ".join(f"{one['name']} {_speed(one['speedup'])}" for one in row["candidates"] if one["name"] != "fp32") or "fp32 alone"
    parity = "" if row["parity"] is None else f"{row['parity']:.1e}"
    size = f"{row['chosen']}, {row['kilobytes']:.0f} kB" + ("" if row["chosen"] == "fp32" else f" ({row['share']:.0%})")
    score = "" if row["metric"] is None else f"{row['metric']} {row['reference']:.4g} → {row['packaged']:.4g}"
    return [row["name"], row["family"], "yes", parity, tried, size, score, _plain(row["why"]), seconds]


def _speed(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}×"


def _plain(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")[:400]
