"""What a model takes and gives, and whether arrays fit it. Pure; every refusal names the input, what was expected, and what came."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np

from sealift_core.bundle.shapes import Symbols, check_shape, refuse, show, show_shape
from sealift_core.bundle.tensors import TensorSpec
from sealift_core.errors import RequestError, nearest
from sealift_runtime.inference.messages import InferRequest


class Signature:
    """A model's name and version, and its tensors by name."""

    __slots__ = ("inputs", "name", "outputs", "version")

    def __init__(self, name: str, version: str, inputs: Iterable[TensorSpec], outputs: Iterable[TensorSpec]) -> None:
        self.name = name
        self.version = version
        self.inputs = {spec.name: spec for spec in inputs}
        self.outputs = {spec.name: spec for spec in outputs}

    def input(self, name: object) -> TensorSpec:
        """The input of that name; `RequestError` if the model has none."""
        spec = self.inputs.get(name) if isinstance(name, str) else None
        if spec is None:
            advice = nearest(name, list(self.inputs)) if isinstance(name, str) else None
            expected = f"one of {', '.join(self.inputs)}"
            raise RequestError("the model has no such input", where="inputs", expected=expected, found=show(name), advice=advice)
        return spec

    def check_complete(self, given: Collection[str]) -> None:
        """Raise `RequestError` unless every input is among those ``given``, all of them inputs of the model."""
        if len(given) == len(self.inputs):
            return
        spec = next(spec for name, spec in self.inputs.items() if name not in given)
        refuse(spec, "missing", f"{spec.datatype} {show_shape(spec.shape)}", f"inputs {', '.join(given) or '(none)'}")

    def check_output(self, name: object, before: Collection[str]) -> str:
        """An output's name; `RequestError` if the model has no such output or it is among those ``before``."""
        if not isinstance(name, str) or name not in self.outputs or name in before:
            message = "the output is requested twice" if isinstance(name, str) and name in before else "the model has no such output"
            raise RequestError(message, where="outputs", expected=f"one of {', '.join(self.outputs)}", found=show(name))
        return name

    def check(self, request: InferRequest) -> None:
        """Raise `RequestError` unless a request's arrays are what the model takes, and the wanted outputs what it gives."""
        symbols: Symbols = {}
        for name, value in request.inputs.items():
            spec = self.input(name)
            if not isinstance(value, np.ndarray):
                refuse(spec, "not an array", f"a numpy array of {spec.numpy_dtype}", type(value).__name__)
            if value.dtype != spec.numpy_dtype:
                refuse(spec, "wrong dtype", str(spec.numpy_dtype), str(value.dtype))
            check_shape(spec, value.shape, symbols)
            if value.dtype.hasobject and not all(type(item) is str for item in value.flat):
                refuse(spec, "wrong type of values", "str", next(type(item).__name__ for item in value.flat if type(item) is not str))
        self.check_complete(request.inputs)
        outputs: list[str] = []
        for output in request.outputs or ():
            outputs.append(self.check_output(output, outputs))
