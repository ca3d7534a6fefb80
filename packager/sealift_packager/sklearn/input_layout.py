"""How a scikit-learn model takes its rows: one tensor of numbers, a table's columns one by one, or texts."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final, Self

import numpy as np

from sealift_core.bundle.tensors import TensorSpec
from sealift_packager.errors import SourceModelError
from sealift_packager.model.categories import flag_columns, number_columns, text_columns
from sealift_packager.model.columns import FEATURES, RULED, column_inputs, joined
from sealift_packager.model.source import ARRAY, Arrangement, Array, Arrays, LoadOptions
from sealift_packager.sklearn.missing_text import Missing, gaps_by_column, missing_text_of
from sealift_packager.sklearn.tags import input_tags
from sealift_packager.trees.within import fitted_parts

TEXT: Final = "text"
#: Models whose members are all given the rows that they are given.
_OF_MEMBERS: Final = ("StackingClassifier", "StackingRegressor", "VotingClassifier", "VotingRegressor")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class InputLayout:
    """How a model takes its rows, and how they become inputs of the graph.

    ``names`` are those of the columns that the model was fitted on; empty if they had none. ``texts`` says that each row is one text,
    ``missing_text`` what the model is given for ``""`` in a column of text, but for those in ``gaps``, by number. ``dtype`` is the type that numbers
    are given as. ``flags`` are the columns of truth values with gaps, by number, and whether such a gap is None; their inputs are numbers.
    """

    names: tuple[str, ...]
    inputs: tuple[TensorSpec, ...]
    texts: bool
    missing_text: Missing
    dtype: type[np.floating[Any]] = np.float64
    flags: Mapping[int, bool] = dataclasses.field(default_factory=dict)
    gaps: Mapping[int, Missing] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, model: Any, options: LoadOptions, where: str) -> Self:
        """From the model, and from the data for what it doesn't say; `SourceModelError` if it takes neither tables nor texts."""
        names = tuple(str(name) for name in getattr(model, "feature_names_in_", ()))
        tags = input_tags(_first(model))
        if tags.dict or not (tags.two_d_array or tags.one_d_array or tags.string):
            expected, given = "a model that takes a table or texts", "a model that takes dicts" if tags.dict else "something else"
            raise SourceModelError(
                "the rows are neither numbers nor text", where=where, expected=expected, found=given, advice="Convert them to a table first."
            )
        texts = tags.string and not tags.two_d_array
        inputs = _of_texts(options) if texts else _of_tables(model, names, options, where)
        flags = {} if texts else flag_columns(model, names)
        gaps = {} if texts else gaps_by_column(model, names, where)
        missing = missing_text_of(model)
        return cls(names=names, inputs=inputs, texts=texts, missing_text=missing, dtype=_float_type(model), flags=flags, gaps=gaps)

    @property
    def numeric(self) -> bool:
        """Whether there are numbers alone, in one tensor or in several."""
        return all(spec.dtype != "string" for spec in self.inputs)

    def widened(self, wide: frozenset[int], arrangement: Arrangement = RULED) -> Self:
        """The same with float64 inputs for the columns of these numbers, and arranged so; `SourceModelError` if that can't be."""
        if self.plain:
            return dataclasses.replace(self, inputs=column_inputs(self.names, int(self.inputs[0].shape[1]), wide, arrangement))
        if arrangement.form == ARRAY:
            raise SourceModelError(
                "columns of text and of numbers can't be one array",
                where="--inputs array",
                expected="columns of numbers alone",
                found="text in " + ", ".join(spec.name for spec in self.inputs if spec.dtype == "string")[:200],
                advice="Leave --inputs out: each column is an input of its own then.",
            )
        inputs = (dataclasses.replace(spec, dtype="float64") if at in wide else spec for at, spec in enumerate(self.inputs))
        return dataclasses.replace(self, inputs=tuple(inputs))

    @property
    def plain(self) -> bool:
        """Whether there is one tensor of numbers."""
        return len(self.inputs) == 1 and self.inputs[0].name == FEATURES

    def table(self, arrays: Arrays) -> Any:
        """What the model's methods take: numbers as float64, for so it was fitted on a table, and a scaler would compute in float32 otherwise."""
        import pandas as pd

        if self.texts:
            return arrays[self.inputs[0].name].reshape(-1)
        if self.plain:
            values = self._with_flags(arrays[FEATURES].astype(self.dtype))
            if not self.names:
                return values
            flags = {self.names[at]: object for at in self.flags}  # a column of gaps alone would become one of numbers
            return pd.DataFrame(values, columns=list(self.names)).infer_objects().astype(flags)
        if not self.names and self.numeric:  # fitted on an array; the inputs have the names of the data's columns
            return self._with_flags(joined(arrays, self.inputs).astype(self.dtype))
        columns = {name: values.reshape(-1) for name, values in arrays.items()}
        columns = {name: values.astype(self.dtype) if values.dtype.kind == "f" else values for name, values in columns.items()}
        if self.missing_text:
            texts = {at for at, spec in enumerate(self.inputs) if spec.dtype == "string"}
            columns = {name: self._with_gaps(values, at) if at in texts else values for at, (name, values) in enumerate(columns.items())}
        columns = {name: self._as_flags(values, at) if at in self.flags else values for at, (name, values) in enumerate(columns.items())}
        # As objects: pandas would make NaN of None.
        series = {name: pd.Series(values, dtype=object) if values.dtype == object else values for name, values in columns.items()}
        return pd.DataFrame(series)

    def _with_flags(self, values: Array) -> Array:
        if not self.flags:
            return values
        given = values.astype(object)
        for at in self.flags:
            given[:, at] = self._as_flags(values[:, at], at)
        return given

    def _as_flags(self, values: Array, at: int) -> Array:
        """Numbers of a column as the truth values that they stand for; others stay."""
        if values.dtype == object:
            return values
        given = values.astype(object)
        given[values == 1], given[values == 0] = True, False
        given[np.isnan(values)] = None if self.flags[at] else np.nan
        return given

    def _with_gaps(self, values: Array, at: int) -> Array:
        gap = self.gaps.get(at, self.missing_text)
        if not gap:
            return values
        texts = values.copy()
        texts[values == ""] = None if gap == "None" else np.nan
        return texts


def _float_type(model: Any) -> type[np.floating[Any]]:
    """float64, but for k-means fitted on float32, which fails on anything else."""
    narrow = any(getattr(getattr(part, "cluster_centers_", None), "dtype", None) == np.float32 for part in fitted_parts(model))
    return np.float32 if narrow else np.float64


def _first(model: Any) -> Any:
    """The step that takes the rows: a pipeline doesn't say what kind of rows that is, and steps that pass rows through take any.

    A vote or a stack takes what its members take, where these are pipelines.
    """
    if hasattr(model, "steps"):
        return _first(next((step for _, step in model.steps if step is not None and not isinstance(step, str)), model.steps[-1][1]))
    if hasattr(model, "transformer_list"):
        return _first(model.transformer_list[0][1])
    members = getattr(model, "estimators_", ()) if type(model).__name__ in _OF_MEMBERS else ()
    return next((_first(member) for member in members if hasattr(member, "steps")), model)


def _of_texts(options: LoadOptions) -> tuple[TensorSpec, ...]:
    """One input, with the name of the data's one column beside the target."""
    columns = [name for name in options.examples if name != options.target]
    return (TensorSpec(name=columns[0] if len(columns) == 1 else TEXT, dtype="string", shape=("batch", 1)),)


def _of_tables(model: Any, names: tuple[str, ...], options: LoadOptions, where: str) -> tuple[TensorSpec, ...]:
    """One input for all columns, or one for each where some are text: by what the model's encoders know, or by the data."""
    width, given = int(getattr(model, "n_features_in_", 1)), tuple(name for name in options.examples if name != options.target)
    columns, encoded = names or given, text_columns(model, names)
    shown = {at for at, name in enumerate(columns) if name in options.examples and options.examples[name].dtype.kind in "OUST"}
    texts = sorted(encoded | shown - number_columns(model, names))
    if texts and (names or len(given) == width):
        return tuple(TensorSpec(name=name, dtype="string" if at in texts else "float32", shape=("batch", 1)) for at, name in enumerate(columns))
    if encoded:
        raise SourceModelError(
            "the columns of text have no names",
            where=where,
            expected=f"a model fitted on a pandas table, or --data with a column for each of the model's {width}",
            found=", ".join(given[:12]) or "no data",
            advice="The names of the columns become those of the inputs.",
        )
    return column_inputs(names, width, ())
