"""Every bound on what comes from outside, in one place, with units."""

from __future__ import annotations

import dataclasses
from typing import Final


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BundleLimits:
    """Bounds that a bundle has to keep; larger ones are refused before they are read.

    Attributes:
        manifest_bytes: Of ``bundle.json``.
        baseline_bytes: Of ``baseline.json``.
        signature_bytes: Of ``model.sig``.
        golden_bytes: Of ``golden.safetensors``.
        oci_document_bytes: Of an OCI manifest or index.
        files: How many files a bundle has.
        path_characters: Of a file's path within a bundle.
        document_bytes: Of any other document.
        bundle_bytes: Of the graph, of a file of weights, and of all files together.
        bundles_per_release: How many profiles a release has.
        tensors: How many inputs a model has, and how many outputs.
        rank: How many dimensions a tensor has.
    """

    manifest_bytes: int = 4 * 2**20
    baseline_bytes: int = 64 * 2**20
    signature_bytes: int = 16 * 2**20
    golden_bytes: int = 256 * 2**20
    oci_document_bytes: int = 4 * 2**20
    files: int = 20_000
    path_characters: int = 200
    document_bytes: int = 64 * 2**20
    bundle_bytes: int = 64 * 2**30
    bundles_per_release: int = 64
    tensors: int = 1_000
    rank: int = 16


LIMITS: Final = BundleLimits()
