"""Steps of category_encoders and feature_engine as tables: what each category becomes is asked of the step itself, as it is fitted.

Unknown and missing categories are asked, too. What the step refuses becomes not a number, or empty text.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from onnx import TensorProto

from sealift_packager.errors import ConversionError
from sealift_packager.graph.nodes import NodeWriter
from sealift_packager.model.source import Array
from sealift_packager.model.table_steps import categories_of, columns_of
from sealift_packager.progress.quiet import quiet
from sealift_packager.sklearn.converters.columns import is_text, numbers_type, place_of
from sealift_packager.sklearn.converters.encoders import number_index, word_index

_UNKNOWN_TEXTS: Final = ("\x00 no category", "\x00 no category either")
#: What columns of numbers are asked with.
_NUMBERS: Final = (0.25, -3.0, 7.5, 1e5, np.nan)
_LOOKED_UP: Final = "SealiftLookedUp"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    """A column that the step gives, by one that it takes.

    ``results`` are for each category, then for unknown ones; ``keeps`` says that an unknown text stays. ``categories`` are texts with "" for missing
    ones, or numbers with NaN. They are None for a column of numbers that stay, with a result for missing ones, or two for whether they are.
    """

    source: int
    results: Array
    categories: Array | None = None
    keeps: bool = False

    @property
    def text(self) -> bool:
        return self.results.dtype == object


class LookedUp:  # skl2onnx finds a converter by the class of an estimator
    """Neighbouring columns of one kind that a step gives."""

    def __init__(self, columns: Sequence[Any] = ()) -> None:
        self.columns = columns


def parse_table_step(scope: Any, model: Any, inputs: Any, custom_parsers: Any = None) -> Any:  # noqa: ARG001  (skl2onnx's signature)
    """skl2onnx's parser of a step: a tensor for each run of columns of one kind."""
    texts = [is_text(inputs[place_of(inputs, at)[0]]) for at in range(len(columns_of(model)))]
    return _looked_up(scope, inputs, _Step(model, texts).columns())


def parse_imputer(scope: Any, model: Any, inputs: Any, custom_parsers: Any = None) -> Any:
    """skl2onnx's parser of a SimpleImputer, of which one of text with indicators gives text and then numbers."""
    from skl2onnx._parse import _parse_sklearn_simple_model

    if not (model.add_indicator and is_text(inputs[0])):
        return _parse_sklearn_simple_model(scope, model, inputs, custom_parsers=custom_parsers)
    kept, gap = getattr(model, "kept_gaps", ()), np.array([""], dtype=object)
    filled = [
        _Column(source=at, results=np.array(["" if at in kept else value, ""], dtype=object), categories=gap, keeps=True)
        for at, value in enumerate(model.statistics_)
        if isinstance(value, str)
    ]
    marks = [_Column(source=int(at), results=np.array([1.0, 0.0]), categories=gap) for at in model.indicator_.features_]
    return _looked_up(scope, inputs, [*filled, *marks])


def _looked_up(scope: Any, inputs: Any, columns: Sequence[_Column]) -> list[Any]:
    results = []
    for text, run in itertools.groupby(columns, key=lambda column: column.text):
        operator = scope.declare_local_operator(_LOOKED_UP, LookedUp(list(run)))
        operator.inputs = list(inputs)
        operator.outputs.append(scope.declare_local_variable("looked_up", _type(operator, text=text)))
        results.append(operator.outputs[0])
    return results


def write_looked_up(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter of `LookedUp`: tensors [batch, columns] in, one out."""
    writer = NodeWriter(scope.get_unique_operator_name("looked_up"))
    wanted = operator.outputs[0].type.to_onnx_type().tensor_type.elem_type
    parts = [_written(writer, operator, column, at, wanted) for at, column in enumerate(operator.raw_operator.columns)]
    writer.add("Concat", *parts, output=operator.outputs[0].full_name, axis=1)
    writer.put_into(container)


def shape_of_looked_up(operator: Any) -> None:
    """skl2onnx's shape calculator of it."""
    operator.outputs[0].type = _type(operator, text=operator.raw_operator.columns[0].text)


def _type(operator: Any, *, text: bool) -> Any:
    from skl2onnx.common.data_types import StringTensorType

    shape = [None, len(operator.raw_operator.columns)]
    return StringTensorType(shape) if text else numbers_type(operator.inputs, shape)


def _written(writer: NodeWriter, operator: Any, column: _Column, at: int, wanted: int) -> str:
    """[batch, 1] of one column."""
    tensor, place = place_of(operator.inputs, column.source)
    variable = operator.inputs[tensor]
    given = writer.add("Gather", variable.full_name, writer.constant(f"column_{at}", np.array([place])), axis=1)
    if column.categories is None:
        return _filled(writer, given, column, at, wanted)
    index = (word_index if is_text(variable) else number_index)(writer, given, column.categories, f"categories_{at}", type(variable.type).__name__)
    flat = writer.add("Reshape", index, writer.constant(f"flat_{at}", np.array([-1, 1])))
    if column.text:
        named = writer.add("Gather", writer.constant(f"texts_{at}", column.results), flat)
        unknown = writer.add("Equal", flat, writer.constant(f"unknown_{at}", np.array(len(column.categories))))
        return writer.add("Where", unknown, given, named) if column.keeps else named
    dtype = np.float64 if wanted == TensorProto.DOUBLE else np.float32
    gaps = np.isnan(column.results)
    part = writer.add("Gather", writer.constant(f"codes_{at}", np.nan_to_num(column.results).astype(dtype)), flat)
    if not gaps.any():  # a constant with NaN in it is a model that diverged (`bounds`)
        return part
    return writer.add(
        "Where", writer.add("Gather", writer.constant(f"gaps_{at}", gaps), flat), writer.constant(f"nan_{at}", np.array(np.nan, dtype)), part
    )


def _filled(writer: NodeWriter, given: str, column: _Column, at: int, wanted: int) -> str:
    cast = writer.add("Cast", given, to=wanted)
    if column.results.size > 1:  # whether it is missing
        return writer.add("Cast", writer.add("IsNaN", cast), to=wanted)
    if np.isnan(column.results).all():
        return cast
    dtype = np.float64 if wanted == TensorProto.DOUBLE else np.float32
    return writer.add("Where", writer.add("IsNaN", cast), writer.constant(f"fill_{at}", column.results.astype(dtype)), cast)


class _Step:
    """A step, and what it makes of rows that differ in one column from a row that it knows."""

    def __init__(self, model: Any, texts: Sequence[bool]) -> None:
        self.model = model
        self.names = columns_of(model)
        self.known = categories_of(model)
        self.texts = dict(zip(self.names, texts, strict=True))
        self.values = {name: self._values(name) for name in self.names}
        first = {name: values[0] for name, values in self.values.items()}
        answer = _ask(model, first)
        if answer is None:
            raise _refused(model, "that it refuses the categories that it was fitted on")
        self.base: Array = answer
        self.answers = {name: [_ask(model, {**first, name: value}) for value in values] for name, values in self.values.items()}

    def columns(self) -> list[_Column]:
        """What it gives, column by column."""
        return [self._column(at) for at in range(len(self.base))]

    def _values(self, name: str) -> list[Any]:
        """What a column is asked with: its categories, two that are unknown, and a missing one last."""
        categories = self.known.get(name, [])
        if self.texts[name]:
            if not all(isinstance(value, str) for value in categories):
                raise _refused(self.model, f"categories of {name!r} that are text and numbers")
            return [*categories, *_UNKNOWN_TEXTS, np.nan]
        if not categories:
            return list(_NUMBERS)
        numbers = [float(value) for value in categories]
        largest = 2 * max(map(abs, numbers)) + 1.5
        return [*numbers, largest, 2 * largest, np.nan]

    def _column(self, at: int) -> _Column:
        """One column, by the one column that it changes with."""
        moving = [name for name in self.names if any(answer is not None and not _same(answer[at], self.base[at]) for answer in self.answers[name])]
        if len(moving) > 1:
            raise _refused(self.model, f"a column that depends on {', '.join(moving[:3])}")
        name = moving[0] if moving else next((name for name in self.names if self.known.get(name)), self.names[0])
        results = [None if answer is None else answer[at] for answer in self.answers[name]]
        return self._encoded(name, results) if self.known.get(name) else self._kept(name, results)

    def _encoded(self, name: str, results: list[Any]) -> _Column:
        count, text = len(self.known[name]), self.texts[name]
        categories = np.array([*self.values[name][:count], "" if text else np.nan], dtype=object if text else np.float64)
        given = [*results[:count], results[-1], results[count]]  # unknown ones come last
        if not any(isinstance(result, str) for result in given):
            codes = np.array([np.nan if result is None else float(result) for result in given])
            return _Column(source=self.names.index(name), categories=categories, results=codes)
        keeps = results[count : count + 2] == self.values[name][count : count + 2]
        if not all(isinstance(result, str) or _is_missing(result) for result in given) or not text:
            raise _refused(self.model, f"column {name!r}, which becomes text and numbers")
        named = np.array([result if isinstance(result, str) else "" for result in given], dtype=object)
        return _Column(source=self.names.index(name), categories=categories, results=named, keeps=keeps)

    def _kept(self, name: str, results: list[Any]) -> _Column:
        """A column that isn't encoded: as it is, with a value for missing ones, or whether they are missing."""
        values, number, missing = self.values[name], self.names.index(name), results[-1]
        if all(_same(result, value) for value, result in zip(values[:-1], results[:-1], strict=True)):
            if not self.texts[name]:
                return _Column(source=number, results=np.array(np.nan if missing is None else missing, np.float64))
            filled = np.array([missing if isinstance(missing, str) else "", ""], dtype=object)
            return _Column(source=number, results=filled, categories=np.array([""], dtype=object), keeps=True)
        if results[:-1] == [0] * (len(values) - 1) and missing == 1:
            return _Column(source=number, results=np.array([1.0, 0.0]), categories=np.array([""], dtype=object) if self.texts[name] else None)
        raise _refused(self.model, f"column {name!r}, which it changes otherwise than by categories")


def _is_missing(value: Any) -> bool:
    return value is None or value != value


def _ask(model: Any, row: dict[str, Any]) -> Array | None:
    """What it makes of a row, as objects [columns]; None where it refuses it."""
    import pandas as pd

    table = pd.DataFrame({name: pd.Series([value], dtype=np.float64 if isinstance(value, float) else object) for name, value in row.items()})
    try:
        with quiet():
            answer = model.transform(table)
    except Exception:  # noqa: BLE001  # whatever the library calls it: the source refuses such a row
        return None
    values: Array = np.asarray(pd.DataFrame(answer), dtype=object)[0]
    return values


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return bool(isinstance(one, str) and isinstance(other, str) and one == other)
    return bool(one == other or (one != one and other != other))


def _refused(model: Any, why: str) -> ConversionError:
    return ConversionError(
        "an encoder that has no ONNX form",
        where=f"{type(model).__module__.partition('.')[0]}: {type(model).__name__}",
        expected="columns that each follow from one, by its categories or as it is",
        found=why,
        advice="Use an encoder of scikit-learn.",
    )
