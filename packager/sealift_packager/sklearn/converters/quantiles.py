"""scikit-learn's QuantileTransformer, there and back: skl2onnx's has no normal distribution, and takes a node for every quantile."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from sealift_packager.graph.nodes import NodeWriter
from sealift_packager.model.source import Array
from sealift_packager.sklearn.converters.columns import numbers_type
from sealift_packager.sklearn.converters.distances import given_rows
from sealift_packager.sklearn.converters.neighbors import element_type
from sealift_packager.sklearn.converters.normal import NormalWriter
from sealift_packager.sklearn.converters.places import picked_at, places_among

#: scikit-learn's: values that are nearer to the first or last quantile are taken for it.
_NEAR: Final = 1e-7


def write_quantiles(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter: numbers [batch, columns] in, their shares below, or the normal distribution's values there, out; NaN stays."""
    model, writer = operator.raw_operator, NodeWriter(scope.get_unique_operator_name("quantiles"))
    result = _shares(writer, model, given_rows(writer, operator))
    writer.add("Cast", result, output=operator.outputs[0].full_name, to=element_type(operator))
    writer.put_into(container)


def shape_of_quantiles(operator: Any) -> None:
    """skl2onnx's shape calculator of it."""
    operator.outputs[0].type = numbers_type(operator.inputs, [None, operator.raw_operator.quantiles_.shape[1]])


def write_back(writer: NodeWriter, model: Any, values: str) -> str:
    """The inverse transformation of float64 [batch, columns]."""
    quantiles, shares = np.asarray(model.quantiles_, np.float64).T, np.asarray(model.references_, np.float64)
    given = NormalWriter(writer).distribution(values) if model.output_distribution == "normal" else values
    inside = _clipped(writer, given, np.zeros(1), np.ones(1))
    references = np.tile(shares, (len(quantiles), 1))
    place = writer.add("Sub", places_among(writer, inside, references, "back", inclusive=True), writer.constant("back_one", np.array(1)))
    place = writer.add("Max", place, writer.constant("back_least", np.array(0)))
    line = _line(writer, inside, place, (references, quantiles, _slopes(references, quantiles, after=True)), "back")
    return _at_ends(writer, model, given, line, (np.float64(0), np.float64(1)), (quantiles[:, 0], quantiles[:, -1]), "back")


def _shares(writer: NodeWriter, model: Any, rows: str) -> str:
    """As `numpy.interp` finds them from below and from above, on average: of equal quantiles the one finds the last and the other the first."""
    quantiles = np.asarray(model.quantiles_, np.float64).T
    references = np.tile(np.asarray(model.references_, np.float64), (len(quantiles), 1))
    inside = _clipped(writer, rows, quantiles[:, 0], quantiles[:, -1])
    one, none = writer.constant("one", np.array(1)), writer.constant("least", np.array(0))
    upward = writer.add("Max", writer.add("Sub", places_among(writer, inside, quantiles, "up", inclusive=True), one), none)
    downward = places_among(writer, inside, quantiles, "down", inclusive=False)
    downward = writer.add("Min", downward, writer.constant("most", np.array(quantiles.shape[1] - 1)))
    up = _line(writer, inside, upward, (quantiles, references, _slopes(quantiles, references, after=True)), "up")
    down = _line(writer, inside, downward, (quantiles, references, _slopes(quantiles, references, after=False)), "down")
    mean = writer.add("Mul", writer.constant("half", np.float64(0.5)), writer.add("Add", up, down))
    shares = _at_ends(writer, model, rows, mean, (quantiles[:, 0], quantiles[:, -1]), (np.float64(0), np.float64(1)), "there")
    if model.output_distribution == "normal":
        ends = np.array([_NEAR - np.spacing(1)]), np.array([1 - (_NEAR - np.spacing(1))])
        shares = NormalWriter(writer).quantile(_clipped(writer, shares, *ends))
    return writer.add("Where", writer.add("IsNaN", rows), rows, shares)


def _at_ends(writer: NodeWriter, model: Any, given: str, line: str, ends: tuple[Any, Any], results: tuple[Any, Any], name: str) -> str:
    """The line, but at the ends and beyond their own values, though several quantiles be equal there: of a normal distribution near them, too."""
    low, high = (writer.constant(f"{name}_{side}", end) for side, end in zip(("low", "high"), ends, strict=True))
    if model.output_distribution == "normal":
        near = writer.constant(f"{name}_near", np.float64(_NEAR))
        below, above = writer.add("Less", writer.add("Sub", given, near), low), writer.add("Greater", writer.add("Add", given, near), high)
    else:
        below, above = writer.add("LessOrEqual", given, low), writer.add("GreaterOrEqual", given, high)
    first, last = (writer.constant(f"{name}_{side}_value", value) for side, value in zip(("low", "high"), results, strict=True))
    return writer.add("Where", below, first, writer.add("Where", above, last, line))


def _line(writer: NodeWriter, values: str, places: str, tables: tuple[Array, Array, Array], name: str) -> str:
    """The height at a value of the line through the point at its place."""
    points, heights, slopes = (picked_at(writer, table, places, f"{name}_{at}") for at, table in enumerate(tables))
    return writer.add("Add", writer.add("Mul", slopes, writer.add("Sub", values, points)), heights)


def _slopes(points: Array, heights: Array, *, after: bool) -> Array:
    """Of the line behind each point, or of the one before it; 0 where there is none."""
    run, rise = np.diff(points, axis=1), np.diff(heights, axis=1)
    slopes = np.divide(rise, run, out=np.zeros_like(rise), where=run > 0)
    return np.pad(slopes, ((0, 0), (0, 1) if after else (1, 0)))


def _clipped(writer: NodeWriter, values: str, low: Array, high: Array) -> str:
    at = len(writer.initializers)
    return writer.add("Min", writer.add("Max", values, writer.constant(f"from_{at}", low)), writer.constant(f"to_{at}", high))
