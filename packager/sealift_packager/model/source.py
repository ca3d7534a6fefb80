"""A trained model as the rest of the packager sees it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from sealift_core.bundle.digest import Digest
from sealift_core.bundle.tensors import TensorSpec
from sealift_packager.model.accepted import ANYTHING, Accepted, Shape
from sealift_packager.model.version_skew import VersionSkew
from sealift_packager.trees.ensemble import Ensemble

Array = np.ndarray[Any, np.dtype[Any]]
Arrays = Mapping[str, Array]
#: How a table's columns are taken: an input for each, or one array of them all.
COLUMNS: Final = "columns"
ARRAY: Final = "array"
ARRANGEMENTS: Final = (COLUMNS, ARRAY)
#: What a graph with its weights inside may have; the rest of what one message holds (2^31 - 1 bytes) is for the graph itself.
INLINE_BYTES: Final = 2**31 - 2**27
#: As much as one file of a bundle may have.
MAX_BYTES: Final = 64 * 2**30


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WeightPlace:
    """Where weights go: as long as they are at most ``inline_bytes`` together into the graph, else into files.

    ``total_bytes`` is refused beyond; ``folder`` takes the files that have to be made, where there is one.
    """

    inline_bytes: int = INLINE_BYTES
    total_bytes: int = MAX_BYTES
    folder: Path | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """What a loader may need beside the file.

    ``format`` says what the file is; without it, the content does. ``origin`` is the file that the loader's is our own copy of: what it names beside
    itself lies there.

    ``examples`` are the arrays of the holdout file by name, before anything is known of the model; empty without data. ``dynamic`` names a torch
    model's free axes beside the batch, by input; ``state_key`` names the entry of a checkpoint that has the weights, which may have more than the
    module needs if ``allow_extra``. ``place`` says where weights go that are too many for one message. ``shapes`` and ``requests`` say what sizes
    and values an ONNX model takes, and whole requests that it or TorchScript answers. ``inputs`` says how a table's columns are taken, `COLUMNS` or
    `ARRAY`; by what is in them if it is None.
    """

    format: str | None = None
    origin: Path | None = None
    trust_pickle: bool = False
    factory: str | None = None
    examples: Arrays = dataclasses.field(default_factory=dict)
    target: str | None = None
    dynamic: Mapping[str, Mapping[int, str]] = dataclasses.field(default_factory=dict)
    state_key: str | None = None
    allow_extra: bool = False
    place: WeightPlace = WeightPlace()
    shapes: tuple[Shape, ...] = ()
    requests: tuple[Arrays, ...] = ()
    inputs: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Arrangement:
    """How a table's columns become inputs.

    ``form`` is `COLUMNS` or `ARRAY`; None leaves it to what is in the columns. ``names`` are those of the data's columns, for a model that knows
    none.
    """

    form: str | None = None
    names: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Digits:
    """What float64 would change for a model of a table's columns whose own arithmetic is float64, though its inputs are float32.

    Attributes:
        needed: The numbers of the columns that the model itself shows to need more digits than float32 has.
        widen: Gives the same model with float64 inputs for these columns, by number, and with these outputs in float64; and with inputs that are
            arranged otherwise.
        unless_shown: The numbers of the columns that may need them, too, as long as no data shows that they don't.
    """

    needed: frozenset[int]
    widen: Widen
    unless_shown: frozenset[int] = frozenset()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Nullable:
    """The columns of numbers that a model answers without, where these needn't be all.

    Attributes:
        columns: The numbers of each input's columns that may be missing, by the input's name.
        rows: Rows [rows, columns] by input that the model answers, as they are and without a number in any one of these columns.
    """

    columns: Mapping[str, tuple[int, ...]]
    rows: Arrays


class Widen(Protocol):
    """Makes a model with float64 inputs and outputs of one without."""

    def __call__(self, columns: frozenset[int], outputs: frozenset[str] = frozenset(), arrangement: Arrangement | None = None, /) -> SourceModel:
        """The model with float64 inputs for the columns of these numbers, and float64 for the outputs of these names.

        Without an ``arrangement``, the inputs stay arranged as they are. `SourceModelError` if they can't be.
        """
        ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SourceModel:
    """A model in its own framework.

    ``format`` is a key of the loaders and of the converters. ``predict`` answers a request as the framework does; its
    outputs have the names that the converted graph is to give them. ``columns`` names the columns of a rank-2 input
    made of a table's columns, where they have names. ``native`` is the framework's own object, for the converter. ``trees`` is there where the
    whole model is a tree ensemble of one input; ``categories`` are the values that an encoder knows, by input and then column, where they are known
    (None for other columns), as the input has them; ``inner`` are models within this one that are proved by themselves. ``unsupervised`` says
    that there need be no target: labels are what the model itself found (clusters, outliers). ``place`` says where the converter puts weights
    that are too many for one message. ``arbitrary`` says of a request which of its rows [rows] the source answers by chance, so that another answer
    is as good. ``steps`` are the first step of a pipeline, the first two and so on, without the last one: what they give is called ``values``.
    ``scores`` are what it chooses labels by, [rows, classes] or of two classes [rows], where these aren't its probabilities.
    ``words`` names the inputs that are documents, whose ``categories`` are words.
    ``classes`` are the labels of a classifier, where they are known.
    ``usual`` are values [rows, …] like those that it was fitted on, by input, as far as the model itself shows them.
    ``accepted`` says which requests it answers, where not all sizes and values will do.
    ``digits`` is there where inputs may be float64; such a model is asked with a table's own numbers, whatever its inputs are.
    ``wide_outputs`` are the outputs that are float64, where others of numbers are float32.
    ``skew`` is there where another version of its library made the file than reads it; ``notes`` are further sentences that the report begins with.
    ``takes_nan`` says that a number may be missing somewhere, ``nullable`` in which columns; None where that is any.
    """

    format: str
    framework: str
    digest: Digest
    native: Any
    predict: Callable[[Arrays], dict[str, Array]]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[str, ...]
    columns: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    takes_nan: bool = False
    usual: Arrays = dataclasses.field(default_factory=dict)
    categories: Mapping[str, tuple[Array | None, ...]] = dataclasses.field(default_factory=dict)
    words: frozenset[str] = frozenset()
    trees: Ensemble | None = None
    inner: tuple[SourceModel, ...] = ()
    unsupervised: bool = False
    place: WeightPlace = WeightPlace()
    arbitrary: Callable[[Arrays], Array] | None = None
    steps: tuple[SourceModel, ...] = ()
    scores: Callable[[Arrays], Array] | None = None
    classes: Array | None = None
    digits: Digits | None = None
    wide_outputs: frozenset[str] = frozenset()
    accepted: Accepted = ANYTHING
    skew: VersionSkew | None = None
    notes: tuple[str, ...] = ()
    nullable: Nullable | None = None


def as_widened(source: SourceModel, widened: SourceModel) -> SourceModel:
    """What `Widen` made of a source, with what the source's loader knows of its file and the framework's own object doesn't say."""
    return dataclasses.replace(widened, digest=source.digest, place=source.place, skew=source.skew, notes=source.notes)
