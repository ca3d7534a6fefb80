"""``sealift_packager.pack``: the pipeline for Python programs, with models and data that are in memory or in files."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from sealift_core.hardware.profile import HardwareProfile
from sealift_core.signing.keys import Signer
from sealift_packager.api.model import write_example, write_model
from sealift_packager.archives.own_copy import translate_paths
from sealift_packager.build.files import runs_own_code
from sealift_packager.build.in_memory_data import write_data
from sealift_packager.build.isolated import pack as pack_apart
from sealift_packager.build.pipeline import Packed
from sealift_packager.build.pipeline import pack as pack_here
from sealift_packager.build.request import DEFAULT_TARGET, PackRequest
from sealift_packager.keys.passphrase import Passphrases
from sealift_packager.model.source import LoadOptions
from sealift_packager.profiles.library import load_profile
from sealift_packager.progress.progress import Progress
from sealift_packager.torch.wrapped import bare_module

#: A profile by its name, by its file's path, or as a value.
Profile = str | Path | HardwareProfile
FIRST_VERSION: Final = "0.1.0"


def pack(
    model: Any,
    *,
    name: str,
    out: str | Path,
    profile: Profile | Sequence[Profile],
    objective: Sequence[str] = (),
    data: Any = None,
    version: str = FIRST_VERSION,
    target: str = DEFAULT_TARGET,
    metric: str | None = None,
    output: str | None = None,
    max_drop: float | None = None,
    golden_from: str | Path | None = None,
    key: str | Path | Signer | None = None,
    example_inputs: Mapping[str, Any] | Sequence[Any] | None = None,
    dynamic_shapes: Any = None,
    progress: Progress | None = None,
    **options: Any,
) -> Packed:
    """Pack a trained model: convert it, prove it, quantize it for each profile, and seal it as a release.

    A model in a file is read and run in a sandboxed process of its own, for at most ``model_timeout`` seconds at a time. An object, and a file whose
    reading runs code of yours, is read and run in this process.

    Args:
        model: A path of anything that ``sealift pack`` takes, or an object: a fitted scikit-learn estimator, an XGBoost, LightGBM or CatBoost
            booster, an ``nn.Module``, a TorchScript module, an exported torch program, or an ``onnx.ModelProto``. An ``nn.Module`` is exported with a
            free batch for the inputs that ``data`` or ``example_inputs`` show.
        name: The model's name: letters, digits, ``.``, ``_`` and ``-``, at most 128 characters.
        out: The folder of the release, an OCI image layout.
        profile: One hardware profile or several, each by its name, by its file's path, or as a value.
        objective: What matters, instead of what the profiles say that are named or in files: ``("size", "accuracy")``, say.
        data: The holdout: a path, ``module:function``, a function, ``(X, y)``, or inputs and target by name (a mapping or a pandas table). ``X`` is
            an array (a sparse one too), a pandas table, or a mapping of inputs, ``[rows, …]``. Without it, only fp32 is built.
        version: The release's semantic version.
        target: The name of the target among ``data``.
        metric: The metric's name, or ``module:function``; by default accuracy for classes and rmse for numbers.
        output: The name of the output that the metric judges; needed where several could be meant.
        max_drop: The largest loss that is accepted, in the metric's unit; by default 0.01, or 1 % of the source's score where the metric's scale is
            the data's own.
        golden_from: A path like that of ``data``, whose few rows become the golden cases.
        key: Who signs: a PEM file, which is read when the build is done and whose passphrase is in ``SEALIFT_KEY_PASSPHRASE``, or a `Signer`. None
            leaves the bundles unsigned.
        example_inputs: An ``nn.Module``'s inputs by name, or in the forward's order, each ``[rows, …]``; of TorchScript by name, where what is no
            tensor becomes a constant.
        dynamic_shapes: What else of an ``nn.Module`` is free: symbols by input and axis, as in ``{"ids": {0: "batch", 1: "tokens"}}``, or what
            ``torch.export.export`` takes.
        progress: Where the build reports its stages; None for the log alone.
        **options: Further fields of `sealift_packager.build.request.PackRequest`: ``trust_pickle``, ``format``, ``factory``, ``state_key``,
            ``allow_extra`` and ``dynamic`` for paths, ``shape``, ``example`` (paths), ``inputs``, ``image_mean``, ``image_std``, ``seed``,
            ``force``, ``description``, ``license``, ``owners``, ``created``, ``model_timeout``,
            ``sandbox``.

    Returns:
        The release, with each bundle's manifest by profile.

    Raises:
        PackagerError: If the release can't be built. Its subclasses in `sealift_packager.errors` say why: the model or the data can't be read, the
            model can't be converted or answers otherwise, no candidate is within the budget, or the output can't be written.
        DocumentError: If a profile file has a field that the schema refuses.
        KeyFileError: If the key can't be used; `PassphraseError` if only its passphrase is missing or wrong.
        SandboxError: If the process that reads the model can't be started or confined.
        TypeError: If an option is unknown.

    Examples:
        >>> from sklearn.datasets import load_breast_cancer
        >>> from sklearn.ensemble import RandomForestClassifier
        >>> X, y = load_breast_cancer(return_X_y=True, as_frame=True)
        >>> model = RandomForestClassifier().fit(X[:400], y[:400])
        >>> packed = sealift_packager.pack(
        ...     model, name="cancer", data=(X[400:], y[400:]), profile="x86-64-avx2", out="release"
        ... )  # doctest: +SKIP
        >>> packed.manifests["x86-64-avx2"].model.precision  # doctest: +SKIP
        'fp32'
    """
    model = bare_module(model)
    with tempfile.TemporaryDirectory(prefix="sealift.") as folder:
        reading = LoadOptions(format=options.get("format"), trust_pickle=options.get("trust_pickle", False), factory=options.get("factory"))
        holdout = write_data(data, Path(folder), model, target=target, options=reading)
        written = write_model(model, Path(folder), holdout, example_inputs, dynamic_shapes, target=target)
        options |= {"example": (*options.get("example", ()), *write_example(model, example_inputs, Path(folder)))}
        request = PackRequest(
            model=written,
            name=name,
            version=version,
            profiles=_profiles(profile, objective),
            out=Path(out),
            data=holdout,
            golden_from=Path(golden_from) if golden_from is not None else None,
            target=target,
            metric=metric,
            output=output,
            max_drop=max_drop,
            signer=Passphrases.collect().check(Path(key)) if isinstance(key, (str, Path)) else key,
            **({"trust_pickle": True} if not isinstance(model, (str, Path)) else {}) | options,
        )
        with translate_paths(Path(), Path(folder)):
            return pack_apart(request, progress) if _is_data(request, model) else pack_here(request, progress)


def _is_data(request: PackRequest, model: Any) -> bool:
    """Whether nothing of the model is code of the caller's own, which needs the caller's process."""
    return isinstance(model, (str, Path)) and not runs_own_code(request)


def _profiles(given: Profile | Sequence[Profile], objective: Sequence[str]) -> tuple[HardwareProfile, ...]:
    profiles = [given] if isinstance(given, (str, Path, HardwareProfile)) else given
    return tuple(profile if isinstance(profile, HardwareProfile) else load_profile(str(profile), objective) for profile in profiles)
