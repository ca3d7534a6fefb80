"""Small real bundles, made without onnx: the graphs are committed under tests/corpus/models, the golden outputs computed by onnxruntime.

=========== ================================================= ==============================================
model       inputs                                            outputs
=========== ================================================= ==============================================
linear      x float32 [batch, 4]                              scores float32 [batch, 3], label int64 [batch]
logarithm   x float32 [batch, 2]                              y float32 [batch, 2]; NaN below 0, -inf at 0
text        word string [batch]                               code int64 [batch], echo string [batch]
pair        left, right float32 [batch, 2, 2]                 total float32 [batch, 2, 2]
sharded     x float32 [batch, 4]                              y float32 [batch, 3]; weights in two shards
slow        x float32 [batch, 4], rounds int64 [1]            y float32 [batch, 4]; about 3 µs per round
hungry      size int64 [1]                                    mean float32 [1]; 8 bytes per unit of size
=========== ================================================= ==============================================
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
import platform
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime

from sealift_core.bundle import files
from sealift_core.bundle.digest import Digest
from sealift_core.bundle.evaluation import Evaluation
from sealift_core.bundle.golden import Array, GoldenCase, encode_golden
from sealift_core.bundle.layout import OciLayout
from sealift_core.bundle.manifest import BundleManifest, GoldenInfo, Lineage, ModelInfo, Owners, Requirements, SessionSettings
from sealift_core.bundle.release import Release, add_bundle, add_release
from sealift_core.bundle.signature import sign_directory
from sealift_core.bundle.tensors import TensorSpec
from sealift_core.drift.baseline import Baseline
from sealift_core.hardware.profile import CpuRequirement, HardwareProfile, Int8Recipe
from sealift_core.signing.keys import PrivateKey, Signer

CORPUS: Final = Path(__file__).parent.parent / "corpus" / "models"
CREATED: Final = datetime.datetime(2026, 1, 31, 12, 0, 0, tzinfo=datetime.UTC)
Feeds = Mapping[str, Array]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TinyModel:
    """What a committed graph takes and gives, and some requests for it."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    requests: tuple[Feeds, ...]


def _spec(name: str, dtype: str, *shape: int | str) -> TensorSpec:
    return TensorSpec(name=name, dtype=dtype, shape=shape)


def _random(seed: int, *shape: int) -> Array:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def _words(*words: str) -> Array:
    return np.array(words, dtype=object)


MODELS: Final[dict[str, TinyModel]] = {
    "linear": TinyModel(
        inputs=(_spec("x", "float32", "batch", 4),),
        outputs=(_spec("scores", "float32", "batch", 3), _spec("label", "int64", "batch")),
        requests=({"x": _random(1, 1, 4)}, {"x": _random(2, 7, 4)}),
    ),
    "logarithm": TinyModel(
        inputs=(_spec("x", "float32", "batch", 2),),
        outputs=(_spec("y", "float32", "batch", 2),),
        requests=({"x": np.array([[1, 2]], np.float32)}, {"x": np.array([[-1, 0]], np.float32)}),
    ),
    "text": TinyModel(
        inputs=(_spec("word", "string", "batch"),),
        outputs=(_spec("code", "int64", "batch"), _spec("echo", "string", "batch")),
        requests=({"word": _words("red", "größe", "unknown")}, {"word": _words("")}),
    ),
    "pair": TinyModel(
        inputs=(_spec("left", "float32", "batch", 2, 2), _spec("right", "float32", "batch", 2, 2)),
        outputs=(_spec("total", "float32", "batch", 2, 2),),
        requests=({"left": _random(1, 1, 2, 2), "right": _random(2, 1, 2, 2)},),
    ),
    "sharded": TinyModel(
        inputs=(_spec("x", "float32", "batch", 4),),
        outputs=(_spec("y", "float32", "batch", 3),),
        requests=({"x": _random(1, 1, 4)}, {"x": _random(2, 7, 4)}),
    ),
    "slow": TinyModel(
        inputs=(_spec("x", "float32", "batch", 4), _spec("rounds", "int64", 1)),
        outputs=(_spec("y", "float32", "batch", 4),),
        requests=({"x": _random(1, 1, 4), "rounds": np.array([1000])},),
    ),
    "hungry": TinyModel(
        inputs=(_spec("size", "int64", 1),),
        outputs=(_spec("mean", "float32", 1),),
        requests=({"size": np.array([1000])},),
    ),
}


def make_profile(name: str = "any-cpu", **changes: Any) -> HardwareProfile:
    """A profile that every machine of the host's architecture fits, with fields replaced."""
    arch = "aarch64" if platform.machine() in ("aarch64", "arm64") else "x86_64"
    profile = HardwareProfile(
        name=name,
        summary="any processor",
        cpu=CpuRequirement(arch=arch),
        minimum_memory_mb=0,
        onnxruntime=">=1.20",
        providers=("CPUExecutionProvider",),
        int8=Int8Recipe(activation="uint8", weight="int8", reduce_range=True, per_channel=True),
        precisions=("fp32",),
        threads=(1,),
        objective=("latency_p50",),
    )
    return dataclasses.replace(profile, **changes)


@functools.cache
def shared_key() -> PrivateKey:
    """The key that signs test bundles unless another is given; fresh in each test process."""
    return PrivateKey.generate()


def answer(model: str, inputs: Feeds) -> dict[str, Array]:
    """What onnxruntime itself says, on one thread and with default settings."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(CORPUS / model / "model.onnx"), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in MODELS[model].outputs]
    return dict(zip(names, session.run(names, dict(inputs)), strict=True))


def make_manifest(model: str = "linear", *, name: str | None = None, version: str = "1.0.0", **changes: Any) -> BundleManifest:
    """A manifest for a committed graph; ``changes`` replace whole fields of it."""
    tiny = MODELS[model]
    manifest = BundleManifest(
        name=name or model,
        version=version,
        created=CREATED,
        description=f"The test model {model}.",
        license="Apache-2.0",
        profile=make_profile(),
        model=ModelInfo(file="model.onnx", opset=20, precision="fp32", recipe={}, source_framework="onnx"),
        inputs=tiny.inputs,
        outputs=tiny.outputs,
        session=SessionSettings(providers=("CPUExecutionProvider",), intra_op_threads=1, inter_op_threads=1, graph_optimization="all", config={}),
        requires=Requirements(onnxruntime=">=1.20", cpu_flags=(), memory_bytes=0, disk_bytes=0),
        golden=GoldenInfo(cases=len(tiny.requests), rtol=1e-4, atol=1e-5),
        evaluation=Evaluation(
            verdict="not evaluated", holdout_digest=None, holdout_rows=None, accuracy=None, measurement=None, measured="not measured", candidates=()
        ),
        owners=Owners(model="model team", deployment="platform team", site="site team"),
        lineage=Lineage(source_digest=str(Digest.of_file(CORPUS / model / "model.onnx"))),
    )
    return dataclasses.replace(manifest, **changes)


def make_bundle(
    directory: Path,
    *,
    model: str = "linear",
    name: str | None = None,
    version: str = "1.0.0",
    key: Signer | None = None,
    cases: Sequence[GoldenCase] | None = None,
    baseline: bytes | None = None,
    **changes: Any,
) -> BundleManifest:
    """Write a complete signed bundle directory and give its manifest.

    ``cases`` replace the golden cases (wrong ones too), ``baseline`` the empty baseline.json, ``changes`` whole fields of
    the manifest (``profile=make_profile("other")``, ``session=...``). Without ``key``, `shared_key` signs.
    """
    if cases is None:
        cases = [GoldenCase(inputs=dict(request), outputs=answer(model, request)) for request in MODELS[model].requests]
    changes.setdefault("golden", GoldenInfo(cases=len(cases), rtol=1e-4, atol=1e-5))
    manifest = make_manifest(model, name=name, version=version, **changes)
    shutil.copytree(CORPUS / model, directory, dirs_exist_ok=True)
    (directory / files.MANIFEST).write_bytes(manifest.to_bytes())
    (directory / files.GOLDEN).write_bytes(encode_golden(cases, manifest.inputs, manifest.outputs))
    (directory / files.BASELINE).write_bytes(Baseline.empty().to_bytes() if baseline is None else baseline)
    (directory / files.CARD).write_text(f"# {manifest.name} {manifest.version}\n", encoding="utf-8")
    sign_directory(directory, manifest.name, key or shared_key())
    return manifest


def make_release(layout_directory: Path, *bundles: Path, key: PrivateKey | None = None) -> Release:
    """Put bundle directories (one name and version, different profiles) into a layout as one release."""
    layout = OciLayout.create(layout_directory)
    first = BundleManifest.parse((bundles[0] / files.MANIFEST).read_bytes())
    refs = tuple(add_bundle(layout, directory) for directory in bundles)
    release = Release(name=first.name, version=first.version, bundles=refs, public_key=(key or shared_key()).public_key)
    add_release(layout, release)
    return release
