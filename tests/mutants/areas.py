"""What is changed, and the tests that must notice: the code that decides, and its package's own tests.

Of a package whose other modules start processes or train models for every test, those are listed that decide by values alone.
"""

from __future__ import annotations

import dataclasses
from typing import Final


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """Modules, as globs from the root of the repository, and tests."""

    modules: tuple[str, ...]
    tests: tuple[str, ...]


_CORE: Final = "core/sealift_core"
_RUNTIME: Final = "runtime/sealift_runtime"
_PACKAGER: Final = "packager/sealift_packager"

AREAS: Final = {
    "trust": Area(modules=(f"{_RUNTIME}/trust/*.py",), tests=("tests/runtime/trust",)),
    "verify": Area(
        modules=(
            *(f"{_CORE}/verify/{name}.py" for name in ("check", "graph", "materialize", "operators", "protobuf")),
            f"{_CORE}/bundle/comparison.py",
        ),
        tests=("tests/core/verify", *(f"tests/core/bundle/test_{name}.py" for name in ("bundle_directory", "comparison", "release"))),
    ),
    "signing": Area(modules=(f"{_CORE}/signing/*.py", f"{_CORE}/bundle/signature.py"), tests=("tests/core/signing", "tests/core/bundle")),
    "update": Area(
        modules=tuple(f"{_RUNTIME}/update/{name}.py" for name in ("table", "probation", "select", "policy", "desired")),
        tests=tuple(
            f"tests/runtime/update/test_{name}.py"
            for name in ("update_table", "probation", "probation_bounds", "select", "desired", "desired_document")
        ),
    ),
    "hardware": Area(modules=(f"{_CORE}/hardware/match.py", f"{_CORE}/hardware/limits.py"), tests=("tests/core/hardware",)),
    "drift": Area(modules=(f"{_CORE}/drift/*.py", f"{_RUNTIME}/monitoring/drift.py"), tests=("tests/core/drift", "tests/runtime/monitoring")),
    "decoding": Area(
        modules=(
            f"{_RUNTIME}/serving/decoding.py",
            f"{_RUNTIME}/serving/values.py",
            f"{_RUNTIME}/inference/signature.py",
            f"{_CORE}/bundle/shapes.py",
        ),
        tests=(
            "tests/core/bundle/test_shapes.py",
            "tests/runtime/serving/test_codec.py",
            "tests/runtime/serving/test_decoding_bounds.py",
            "tests/runtime/inference/test_signature.py",
        ),
    ),
    "search": Area(
        modules=tuple(f"{_PACKAGER}/search/{name}.py" for name in ("choose", "objectives", "revert", "folds")),
        tests=tuple(f"tests/packager/search/test_{name}.py" for name in ("choose", "choice_bounds")),
    ),
    "candidates": Area(modules=(f"{_PACKAGER}/candidates/*.py",), tests=("tests/packager/candidates",)),
    "parity": Area(
        modules=(
            *(f"{_PACKAGER}/parity/{name}.py" for name in ("check", "compare", "digits", "inputs", "rounding", "scikit_steps")),
            f"{_PACKAGER}/model/drawn_rows.py",
        ),
        tests=tuple(
            f"tests/packager/parity/test_{name}.py"
            for name in ("check_bounds", "check_requests", "compare", "digit_choice", "hard_inputs", "rounding", "scikit_steps")
        ),
    ),
}
