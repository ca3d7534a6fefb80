"""A manifest as a page for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sealift_core.bundle.evaluation import Accuracy, CandidateRecord, Measurement
from sealift_core.bundle.manifest import BundleManifest
from sealift_core.bundle.tensors import Class, TensorSpec
from sealift_core.clock import format_time
from sealift_core.errors import first_few
from sealift_packager.assemble.markdown import Markdown, code, paragraphs, plain, table

_SHOWN_NAMES: Final = 100


def model_card(manifest: BundleManifest) -> str:
    """The card; the same manifest gives the same text."""
    sections = (_head(manifest), _use(manifest), _accuracy(manifest), _candidates(manifest), _checks(manifest), _owners(manifest))
    return "\n\n".join(section for section in sections if section) + "\n"


def _head(manifest: BundleManifest) -> str:
    rows = [
        ("Version", manifest.version),
        ("Made", format_time(manifest.created)),
        ("Hardware profile", f"{manifest.profile.name}: {manifest.profile.summary}"),
        ("Precision", manifest.model.precision),
        ("Source", f"{manifest.model.source_framework}, {manifest.lineage.source_digest}"),
        ("License", manifest.license or "not stated"),
    ]
    return f"# {plain(manifest.name)}\n\n{paragraphs(manifest.description or 'No description was given.')}\n\n" + table(("", ""), rows)


def _use(manifest: BundleManifest) -> str:
    rows = [("in", *_tensor(spec)) for spec in manifest.inputs] + [("out", *_tensor(spec)) for spec in manifest.outputs]
    return "## What goes in and comes out\n\n" + table(("", "name", "dtype", "shape", "meaning"), rows) + _columns(manifest) + _classes(manifest)


def _columns(manifest: BundleManifest) -> str:
    """The columns of each array of them, in their order."""
    return "".join(f"\n\nColumns of {code(spec.name)}, in this order: {_names(spec.columns)}" for spec in manifest.inputs if spec.columns)


def _classes(manifest: BundleManifest) -> str:
    """The classes, once for outputs that have the same."""
    outputs: dict[tuple[Class, ...], list[str]] = {}
    for spec in manifest.outputs:
        outputs.setdefault(spec.classes, []).append(code(spec.name))
    return "".join(f"\n\nClasses of {', '.join(names)}, in this order: {_names(classes)}" for classes, names in outputs.items() if classes)


def _names(names: Sequence[Class]) -> str:
    return first_few([plain(str(name)) for name in names], _SHOWN_NAMES)


def _tensor(spec: TensorSpec) -> tuple[str, str, str, str]:
    return code(spec.name), spec.dtype, code("[" + ", ".join(map(str, spec.shape)) + "]"), f"{spec.description} {spec.unit}".strip()


def _accuracy(manifest: BundleManifest) -> str:
    evaluation = manifest.evaluation
    if evaluation.accuracy is None:
        return "## Accuracy\n\nNot evaluated: the model was packaged without holdout data."
    accuracy = evaluation.accuracy
    held = f"{evaluation.holdout_rows} holdout rows ({plain(str(evaluation.holdout_digest))})"
    text = f"{held}; the packaged model against its source, 95 % interval by paired bootstrap."
    packaged = (
        f"{accuracy.packaged:.6g}"
        if accuracy.packaged_worst_row is None
        else f"{accuracy.packaged:.6g} (worst row {accuracy.packaged_worst_row:.6g})"
    )
    values = [(accuracy.metric, f"{accuracy.reference:.6g}", packaged, _loss(accuracy), f"{accuracy.budget:.4g}")]
    return f"## Accuracy\n\n{text}\n\n" + table(("metric", "source", "packaged", "loss", "budget"), values) + _data_notes(manifest)


def _data_notes(manifest: BundleManifest) -> str:
    notes = manifest.lineage.annotations.get("data_notes")
    return "".join(f"\n\n{plain(str(note))}" for note in notes) if isinstance(notes, list) else ""


def _loss(accuracy: Accuracy) -> str:
    return f"{accuracy.loss:.4g} ({accuracy.loss_low:.4g} to {accuracy.loss_high:.4g})"


def _candidates(manifest: BundleManifest) -> str:
    rows = [_candidate(candidate) for candidate in manifest.evaluation.candidates]
    session = manifest.session
    note = (
        f"Latency, memory and load time: {plain(manifest.evaluation.measured)}; batch 1, {session.intra_op_threads} threads and graph optimization "
        f"{plain(session.graph_optimization)} in the shipped one. Rows per second: every core busy, at the best batch size."
    )
    head = ("candidate", "size", "loss", "p50 ms", "p99 ms", "rows/s", "peak MB", "load ms", "verdict")
    return f"## What was tried\n\n{note}\n\n" + table(head, rows)


def _candidate(candidate: CandidateRecord) -> Sequence[str]:
    loss = _loss(candidate.accuracy) if candidate.accuracy else "–"
    name = Markdown(f"**{plain(candidate.name)}**") if candidate.chosen else candidate.name
    verdict = f"{'chosen' if candidate.chosen else 'not chosen'}: {candidate.reason}"
    return name, f"{candidate.size_bytes / 1000:.0f} kB" if candidate.size_bytes else "–", loss, *_figures(candidate.measurement), verdict


def _figures(measurement: Measurement | None) -> tuple[str, str, str, str, str]:
    if measurement is None:
        return "–", "–", "–", "–", "–"
    most = "–" if measurement.throughput_rows_per_s is None else f"{measurement.throughput_rows_per_s:,.0f}"
    return (
        f"{measurement.latency_p50_ms:.3g}",
        f"{measurement.latency_p99_ms:.3g}",
        most,
        f"{measurement.peak_memory_bytes / 2**20:.0f}",
        f"{measurement.load_time_ms:.3g}",
    )


def _checks(manifest: BundleManifest) -> str:
    golden = manifest.golden
    own = [f"{golden.atol_of(output.name):g} for {plain(output.name)}" for output in manifest.outputs if output.dtype.startswith("float")]
    tolerances = ", ".join(own) or f"{golden.atol:g}"
    return (
        "## How a device checks it\n\n"
        f"{golden.cases} golden cases must be reproduced within |a − b| ≤ atol + {golden.rtol:g}·|b| before the model serves, with "
        f"atol {tolerances}; integers and text exactly. It needs onnxruntime {plain(manifest.requires.onnxruntime)}."
    )


def _owners(manifest: BundleManifest) -> str:
    owners = manifest.owners
    rows = [("model", owners.model), ("deployment", owners.deployment), ("site", owners.site)]
    return "## Who owns what\n\n" + table(("", ""), [(name, value or "not stated") for name, value in rows])
