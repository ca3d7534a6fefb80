"""Bundles as text and as JSON."""

from __future__ import annotations

import io
import shutil
import textwrap
from collections.abc import Sequence
from typing import Any, Final

from rich.table import Table

from sealift_core.bundle.evaluation import CandidateRecord
from sealift_core.bundle.manifest import BundleManifest
from sealift_core.bundle.tensors import TensorSpec
from sealift_core.errors import first_few
from sealift_core.schema.documents import Document
from sealift_core.terminal.commandline import blocks
from sealift_core.terminal.printable import printable
from sealift_packager.cli.console import plain_console
from sealift_packager.diff.artifact import BundleView

#: Without a terminal, and the narrowest in which verdicts stand beside the figures.
WIDTH: Final = 150
BESIDE: Final = 130
_SHOWN_NAMES: Final = 100


def candidates_table(manifest: BundleManifest) -> list[str]:
    """Every candidate of one bundle with its verdict, as lines; those that could not be made are below, by reason."""
    width = shutil.get_terminal_size((WIDTH, 0)).columns
    table = Table(title=printable(_title(manifest)), title_justify="left")
    for name in ("candidate", "size kB", "loss (95 %)", "p50 ms", "p99 ms", "rows/s", "peak MB", "speed-up"):
        table.add_column(name, justify="left" if name == "candidate" else "right", no_wrap=True)
    if width >= BESIDE:
        table.add_column("verdict")
    made = [candidate for candidate in manifest.evaluation.candidates if candidate.size_bytes]
    for candidate in made:
        table.add_row(*map(printable, _cells(candidate)[: len(table.columns)]), style="bold" if candidate.chosen else None)
    below = [] if width >= BESIDE else [f"{candidate.name}: {_verdict(candidate)}" for candidate in made]
    below += [f"{', '.join(names)}: {reason}" for reason, names in _not_made(manifest).items()]
    return [*_rendered(table, width), *(line for text in below for line in textwrap.wrap(printable(text), width, subsequent_indent="  "))]


def _not_made(manifest: BundleManifest) -> dict[str, list[str]]:
    """Reason → the candidates that could not be made for it."""
    by_reason: dict[str, list[str]] = {}
    for candidate in manifest.evaluation.candidates:
        if not candidate.size_bytes:
            by_reason.setdefault(candidate.reason, []).append(candidate.name)
    return by_reason


def _title(manifest: BundleManifest) -> str:
    accuracy, rows = manifest.evaluation.accuracy, manifest.evaluation.holdout_rows
    score = f", {accuracy.metric} {accuracy.packaged:.4g} (source {accuracy.reference:.4g}, {rows:,} rows)" if accuracy else ""
    return f"{manifest.profile.name}: {manifest.model.precision}{score}"


def _cells(candidate: CandidateRecord) -> list[str]:
    loss, figures = candidate.accuracy, candidate.measurement
    return [
        candidate.name,
        f"{candidate.size_bytes / 1000:,.0f}",
        f"{loss.loss:.4g} ({loss.loss_low:.3g} … {loss.loss_high:.3g})" if loss else "–",
        f"{figures.latency_p50_ms:.3g}" if figures else "–",
        f"{figures.latency_p99_ms:.3g}" if figures else "–",
        f"{figures.throughput_rows_per_s:,.0f}" if figures and figures.throughput_rows_per_s is not None else "–",
        f"{figures.peak_memory_bytes / 2**20:.0f}" if figures else "–",
        f"{candidate.speedup:.2f}" if candidate.speedup else "–",
        _verdict(candidate),
    ]


def _verdict(candidate: CandidateRecord) -> str:
    return f"{'chosen' if candidate.chosen else 'not chosen'}: {candidate.reason}"


def _rendered(table: Table, width: int) -> list[str]:
    text = io.StringIO()
    plain_console(text, width=width).print(table)
    return [line.rstrip() for line in text.getvalue().split("\n")[:-1]]


def manifest_json(manifest: BundleManifest) -> dict[str, Any]:
    """The manifest as bundle.json has it."""
    data = manifest.to_bytes()
    return Document.parse_json(data, where="bundle.json", max_bytes=len(data)).raw()


def view_json(bundle: BundleView) -> dict[str, Any]:
    """A bundle for machines."""
    return {"digest": bundle.digest, "signed": bundle.signed, "files": bundle.sizes, "manifest": manifest_json(bundle.manifest)}


def view_lines(bundle: BundleView) -> list[str]:
    """A bundle for people."""
    manifest = bundle.manifest
    accuracy = manifest.evaluation.accuracy
    least = f", worst row {accuracy.packaged_worst_row:.6g}" if accuracy and accuracy.packaged_worst_row is not None else ""
    tensors = [line for side, specs in (("input ", manifest.inputs), ("output", manifest.outputs)) for spec in specs for line in _tensor(side, spec)]
    head = [
        f"{manifest.name} {manifest.version} for {manifest.profile.name} ({manifest.profile.summary})",
        f"  digest    {bundle.digest}" if bundle.digest else "",
        f"  precision {manifest.model.precision}, opset {manifest.model.opset}, from {manifest.model.source_framework}",
        f"  size      {sum(bundle.sizes.values()) / 1000:,.0f} kB in {len(bundle.sizes)} files; {'signed' if bundle.signed else 'not signed'}",
        f"  accuracy  {accuracy.metric} {accuracy.packaged:.6g}{least} (source {accuracy.reference:.6g})"
        if accuracy
        else "  accuracy  not evaluated",
        f"  golden    {manifest.golden.cases} cases, atol {_tolerances(manifest)}, rtol {manifest.golden.rtol:g}",
        f"  latency   {manifest.evaluation.measured}",
    ]
    return [*filter(None, head), *tensors, *candidates_table(manifest)]


def _tolerances(manifest: BundleManifest) -> str:
    """One number where all outputs have the same."""
    golden, own = manifest.golden, manifest.golden.output_atol
    if len(set(own.values())) <= 1:
        return f"{next(iter(own.values()), golden.atol):g}"
    return first_few([f"{atol:g} ({printable(name)})" for name, atol in own.items()], _SHOWN_NAMES)


def _tensor(side: str, spec: TensorSpec) -> list[str]:
    names = [("columns", spec.columns), ("classes", spec.classes)]
    meaning = [f"{word} {first_few([repr(value) for value in values], _SHOWN_NAMES)}" for word, values in names if values]
    meaning += [text for text in (spec.description, spec.unit) if text]
    width, margin = shutil.get_terminal_size((WIDTH, 0)).columns, " " * 9
    wrapped = [line for text in meaning for line in textwrap.wrap(printable(text), width, initial_indent=margin, subsequent_indent=margin + "  ")]
    return [f"  {side} {spec.name}: {spec.dtype} [{', '.join(map(str, spec.shape))}]", *wrapped]


def views_lines(bundles: Sequence[BundleView]) -> list[str]:
    """Several bundles, an empty line between."""
    return blocks(map(view_lines, bundles))
