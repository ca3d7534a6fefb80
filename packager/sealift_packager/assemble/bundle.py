"""One bundle directory from a finished candidate."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sealift_core.bundle import files
from sealift_core.bundle.digest import Digest
from sealift_core.bundle.golden import encode_golden
from sealift_core.bundle.manifest import BundleManifest
from sealift_core.drift.baseline import Baseline
from sealift_core.schema.documents import Json
from sealift_core.verify.graph import check_bundle_graph
from sealift_packager.assemble.golden import Golden
from sealift_packager.assemble.model_card import model_card
from sealift_packager.assemble.provenance import make_provenance
from sealift_packager.assemble.sbom import make_bom
from sealift_packager.graph.tensors import model_bytes
from sealift_packager.graph.weights import PAGE_BYTES, write_model


def write_bundle(
    directory: Path,
    manifest: BundleManifest,
    model: Any,
    golden: Golden,
    baseline: Baseline,
    *,
    tools: Mapping[str, str],
    options: Mapping[str, Json],
) -> None:
    """Write every file of a bundle but its signature. What a device would refuse to run isn't written.

    ``tools`` are the versions of what built it, ``options`` what was asked of the build: for BOM and provenance.
    """
    manifest.session.check(where="bundle.json: session")
    directory.mkdir(parents=True)
    write_model(model, directory)
    check_bundle_graph(directory)
    (directory / files.GOLDEN).write_bytes(encode_golden(golden.cases, manifest.inputs, manifest.outputs))
    (directory / files.BASELINE).write_bytes(baseline.to_bytes())
    (directory / files.CARD).write_text(model_card(manifest), encoding="utf-8")
    (directory / files.MANIFEST).write_bytes(manifest.to_bytes())
    (directory / files.SBOM).write_bytes(make_bom(manifest, _digests(directory), tools))
    (directory / files.PROVENANCE).write_bytes(make_provenance(manifest, _digests(directory), tools, options))


def _digests(directory: Path) -> dict[str, Digest]:
    return {name: Digest.of_file(path) for name, path in files.list_files(directory).items()}


def disk_estimate(model: Any, golden: Golden, baseline: Baseline) -> int:
    """Bytes on disk, each part rounded up to a page, with a margin for the documents beside."""
    golden_bytes = sum(value.nbytes for case in golden.cases for value in (*case.inputs.values(), *case.outputs.values()))
    parts = (model_bytes(model), golden_bytes, len(baseline.to_bytes()), 2**18)
    return sum(-(-part // PAGE_BYTES) * PAGE_BYTES for part in parts)
