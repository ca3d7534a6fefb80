"""What is asked of `pack`, checked where it comes in."""

from __future__ import annotations

import dataclasses
import datetime
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sealift_core.bundle.limits import LIMITS
from sealift_core.bundle.manifest import MODEL_NAME, VERSION, Owners
from sealift_core.hardware.profile import HardwareProfile
from sealift_core.schema.documents import Json
from sealift_core.signing.keys import Signer
from sealift_packager.data.function import is_function
from sealift_packager.errors import DataError, PackagerError, ProfileError, SourceModelError
from sealift_packager.graph.content import content_digest
from sealift_packager.measure.device_address import OPTION, DeviceAddress
from sealift_packager.model.accepted import parse_shapes
from sealift_packager.model.detect import check_format
from sealift_packager.model.dynamic import parse_dynamic
from sealift_packager.model.source import ARRANGEMENTS
from sealift_packager.sandbox.activity import OPTION as MODEL_TIMEOUT

SOURCE_DATE_EPOCH = "SOURCE_DATE_EPOCH"
DEFAULT_TARGET = "target"
MEASURE_SECONDS: Final = 4.0
MODEL_TIMEOUT_S: Final = 120.0
#: Where a function may be named instead of a file.
_FUNCTION_FIELDS: Final = ("data", "golden_from")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PackRequest:
    """One release to build.

    Attributes:
        model: The model's file or folder.
        name: The model's name, matching `sealift_core.bundle.manifest.MODEL_NAME`.
        version: The release's semantic version.
        profiles: The machines to build for, with different names; 1 to 64.
        out: The folder of the release, an OCI image layout.
        data: The holdout: a file, a folder of images, or ``module:function``; None for none.
        target: The name of the target among the data.
        metric: The metric's name, or ``module:function``; None for accuracy for classes, rmse for numbers.
        output: The name of the output that the metric judges; None for the only one that it can be.
        max_drop: The largest loss that is accepted, in the metric's unit; None for 0.01, or 1 % of the source's score where the metric's scale is the
            data's own (mae, rmse, one's own).
        signer: Who signs; None leaves the bundles unsigned.
        trust_pickle: Whether the model may be a pickle, whose reading runs code.
        format: The model's kind where its content is not to say it; None to find it out.
        golden_from: A place like that of ``data``, whose rows become the golden cases; None to take some of the holdout's.
        factory: A function that makes the module for a torch state dict, as ``module:function``.
        state_key: The entry of a torch checkpoint that has the weights, where several could be meant.
        allow_extra: Whether a torch checkpoint may have weights that the module doesn't.
        dynamic: A torch model's free dimensions beside the batch, each as ``INPUT:AXIS`` or ``INPUT:AXIS=SYMBOL``.
        shape: Sizes that an ONNX model takes, each as ``INPUT:AXIS=SIZES``, and values of inputs that choose, as ``INPUT=VALUE`` (see
            `model.accepted`).
        example: Files with a whole request each, which an ONNX model answers: .npz, .npy or .json (see `data.example`).
        inputs: How a table's columns are taken: ``columns``, an input for each, or ``array``, one input for all; None for what suits them.
        image_mean: What is taken off each channel of an image (see `data.pixels.Normalization`).
        image_std: What each channel is then divided by; above 0.
        seed: Of everything that is drawn; from 0 up.
        measure_seconds: How long a profile's candidates are compared; their other figures take a share of it.
        force: Whether a release that is at ``out`` is replaced.
        description: For people.
        license: For people, or an SPDX expression.
        owners: Who owns the next step.
        created: When the release was made; None for now.
        measure_on: Devices that measure what this machine can't.
        model_timeout: How many seconds the model may take to be read, or to answer one request, where a process of its own builds (see `sandbox`);
            more for a large file.
        sandbox: Off to run that process without a sandbox.

    Raises:
        PackagerError: If the name, the version or a number is malformed.
        ProfileError: If there are too many profiles or none, one is named twice, or a device is for a profile that isn't built.
        DataError: If a metric or a budget is given without data, or a budget, a mean or a standard deviation isn't one.
        SourceModelError: If ``format`` is no kind of model, or ``dynamic``, ``shape`` or ``inputs`` is malformed.
    """

    model: Path
    name: str
    version: str
    profiles: tuple[HardwareProfile, ...]
    out: Path
    data: Path | None = None
    target: str = DEFAULT_TARGET
    metric: str | None = None
    output: str | None = None
    max_drop: float | None = None
    signer: Signer | None = None
    trust_pickle: bool = False
    format: str | None = None
    golden_from: Path | None = None
    factory: str | None = None
    state_key: str | None = None
    allow_extra: bool = False
    dynamic: tuple[str, ...] = ()
    shape: tuple[str, ...] = ()
    example: tuple[Path, ...] = ()
    inputs: str | None = None
    image_mean: tuple[float, ...] = ()
    image_std: tuple[float, ...] = ()
    seed: int = 0
    measure_seconds: float = MEASURE_SECONDS
    force: bool = False
    description: str = ""
    license: str = ""
    owners: Owners = dataclasses.field(default_factory=Owners)
    created: datetime.datetime | None = None
    measure_on: tuple[DeviceAddress, ...] = ()
    model_timeout: float = MODEL_TIMEOUT_S
    sandbox: bool = True

    def __post_init__(self) -> None:
        if not re.fullmatch(MODEL_NAME, self.name):
            raise PackagerError(
                "not a model name", where="--name", expected="letters, digits, '.', '_', '-', beginning with one of the first", found=repr(self.name)
            )
        if not re.fullmatch(VERSION, self.version):
            raise PackagerError("not a version", where="--version", expected="a semantic version like 1.4.0 or 2.0.0-rc.1", found=repr(self.version))
        self._check_profiles()
        if self.data is None and (self.metric is not None or self.max_drop is not None or self.output is not None):
            raise DataError("--metric, --output and --max-drop need data", advice="Give the holdout with --data.")
        self._check_numbers()
        self._check_reading()

    def _check_profiles(self) -> None:
        """Which machines are built for and measured on."""
        names = [profile.name for profile in self.profiles]
        twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
        if twice:
            raise ProfileError("a profile is named twice", where="--profile", found=twice[0], advice="Name each profile once.")
        if not 0 < len(names) <= LIMITS.bundles_per_release:
            raise ProfileError("wrong number of profiles", where="--profile", expected=f"1 to {LIMITS.bundles_per_release}", found=str(len(names)))
        for device in self.measure_on:
            if device.profile is not None and device.profile not in names:
                raise ProfileError("a device is given for a profile that isn't built", where=OPTION, expected=", ".join(names), found=device.profile)

    def _check_numbers(self) -> None:
        """Budget, seed and time."""
        if self.max_drop is not None and not 0 <= self.max_drop < float("inf"):
            raise DataError("not a budget", where="--max-drop", expected="a number from 0 up", found=str(self.max_drop))
        if self.seed < 0:
            raise PackagerError("not a seed", where="--seed", expected="an integer from 0 up", found=str(self.seed))
        if not 0 < self.measure_seconds < float("inf"):
            raise PackagerError("not a time", where="--measure-seconds", expected="a number above 0", found=str(self.measure_seconds))
        if not 0 < self.model_timeout < float("inf"):
            raise PackagerError("not a time", where=MODEL_TIMEOUT, expected="a number above 0", found=str(self.model_timeout))

    def _check_reading(self) -> None:
        """How model and data are to be read."""
        if self.format is not None:
            check_format(self.format)
        parse_dynamic(self.dynamic)
        parse_shapes(self.shape)
        if self.inputs not in (None, *ARRANGEMENTS):
            raise SourceModelError("not a way to take columns", where="--inputs", expected=" or ".join(ARRANGEMENTS), found=repr(self.inputs)[:200])
        if not all(math.isfinite(number) for number in self.image_mean):
            raise DataError("not a mean", where="--image-mean", expected="finite numbers", found=str(self.image_mean))
        if not all(0 < number < math.inf for number in self.image_std):
            raise DataError("not a standard deviation", where="--image-std", expected="finite numbers above 0", found=str(self.image_std))

    @property
    def functions(self) -> dict[str, Path]:
        """The functions of the user's own that give data, by the field that names each."""
        return {name: place for name in _FUNCTION_FIELDS if (place := getattr(self, name)) is not None and is_function(place)}

    def options(self) -> dict[str, Json]:
        """Collect what decides what is computed, but model, data and profiles: by the field's name, files by their digest."""
        return {field.name: _option(getattr(self, field.name)) for field in dataclasses.fields(self) if field.name not in _NOT_OPTIONS}


#: Model, data and profiles, which are identified by content; what a release is called; where it goes; what only permits; how long is measured.
_NOT_OPTIONS: Final = frozenset(
    (
        "model",
        "data",
        "profiles",
        "name",
        "version",
        "description",
        "license",
        "owners",
        "created",
        "out",
        "force",
        "signer",
        "trust_pickle",
        "measure_seconds",
        "measure_on",
        "model_timeout",
        "sandbox",
    )
)


def _option(value: object) -> Json:
    if isinstance(value, Path):
        return str(content_digest(value)) if value.exists() else str(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return [_option(item) for item in value] if isinstance(value, tuple | list) else repr(value)


def time_of_build(environment: Mapping[str, str] = os.environ) -> datetime.datetime:
    """Find out when a build takes place.

    Source: https://reproducible-builds.org/specs/source-date-epoch/.

    Args:
        environment: Variables, one of which may be ``SOURCE_DATE_EPOCH``.

    Returns:
        That time if it is set, else now; in UTC.

    Raises:
        PackagerError: If it is no number of seconds since 1970.
    """
    text = environment.get(SOURCE_DATE_EPOCH)
    if text is None:
        return datetime.datetime.now(datetime.UTC)
    try:
        return datetime.datetime.fromtimestamp(int(text), datetime.UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise PackagerError("not a time", where=SOURCE_DATE_EPOCH, expected="whole seconds since 1970", found=repr(text)) from error
