"""The inputs and outputs of a model: names, dtypes, shapes."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

from sealift_core.bundle.limits import LIMITS
from sealift_core.errors import DocumentError, LimitError
from sealift_core.schema.documents import Document, Json

if TYPE_CHECKING:
    import numpy as np

#: dtype in the manifest → Open Inference Protocol datatype. ``string`` is UTF-8 text, held as numpy objects.
DATATYPES: Final = {
    "bool": "BOOL",
    "uint8": "UINT8",
    "uint16": "UINT16",
    "uint32": "UINT32",
    "uint64": "UINT64",
    "int8": "INT8",
    "int16": "INT16",
    "int32": "INT32",
    "int64": "INT64",
    "float16": "FP16",
    "float32": "FP32",
    "float64": "FP64",
    "string": "BYTES",
}
#: A class as a model names it.
Class = str | int | float | bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TensorSpec:
    """One input or output.

    Attributes:
        name: Its name in the graph.
        dtype: One of `DATATYPES`; ``string`` is UTF-8 text.
        shape: For each dimension a size, or a symbol (a text) if it is free; two dimensions with the same symbol have the same size in a request.
        description: For people.
        unit: Of the values, for people.
        columns: The names of a table's columns, in the order in which its values stand along the last dimension; empty where they have none.
        classes: Of an output that names a class, or has a number for each: the classes, in the order of the numbers; empty where they aren't known.
        minimum: The smallest value that makes sense; None if there is none.
        maximum: The largest value that makes sense; None if there is none.
    """

    name: str
    dtype: str
    shape: tuple[int | str, ...]
    description: str = ""
    unit: str = ""
    columns: tuple[str, ...] = ()
    classes: tuple[Class, ...] = ()
    minimum: float | None = None
    maximum: float | None = None

    @property
    def numpy_dtype(self) -> np.dtype[Any]:
        """The dtype of a numpy array with this tensor's values; object for ``string``."""
        import numpy as np  # whoever only reads manifests (the control plane) shouldn't carry it

        return np.dtype(object) if self.dtype == "string" else np.dtype(self.dtype)

    @property
    def datatype(self) -> str:
        """The Open Inference Protocol's name of the dtype."""
        return DATATYPES[self.dtype]

    @classmethod
    def parse(cls, document: Document) -> TensorSpec:
        """Read one tensor of a manifest.

        Args:
            document: Its table.

        Returns:
            The tensor.

        Raises:
            DocumentError: If a field is missing, of another type, a dimension is no size below 2³¹ and no symbol, or the columns are not as many as
                the last dimension says.
            LimitError: If there are more than 16 dimensions, or a text is too long.
        """
        shape = document.items("shape")
        if len(shape) > LIMITS.rank:
            raise LimitError("too many dimensions", where=document.where, expected=f"at most {LIMITS.rank}", found=str(len(shape)))
        for size in shape:
            if not (isinstance(size, str) and size) and not (type(size) is int and 0 <= size < 2**31):
                raise DocumentError("not a dimension", where=f"{document.where}.shape", expected="a size or a symbol", found=repr(size))
        columns = document.texts("columns", ())
        if columns and (not shape or shape[-1] != len(columns)):
            raise DocumentError(
                "the columns do not fit the shape",
                where=document.where,
                expected=f"{shape[-1]} columns" if shape else "no columns",
                found=str(len(columns)),
            )
        return cls(
            name=document.text("name", max_characters=500),
            dtype=document.text("dtype", one_of=tuple(DATATYPES)),
            shape=tuple(shape),
            description=document.text("description", ""),
            unit=document.text("unit", ""),
            columns=columns,
            classes=_classes(document),
            minimum=document.number("minimum", None),
            maximum=document.number("maximum", None),
        )

    def json(self) -> dict[str, Json]:
        """Write the tensor as a manifest does; what is empty is left out."""
        fields: dict[str, Json] = {"name": self.name, "dtype": self.dtype, "shape": list(self.shape)}
        return (
            fields | self.meaning() | {key: value for key, value in {"minimum": self.minimum, "maximum": self.maximum}.items() if value is not None}
        )

    def meaning(self) -> dict[str, Json]:
        """Write what the values mean, as a manifest and a server's metadata have it: ``description``, ``unit``, ``columns``, ``classes``.

        Returns:
            Those that aren't empty.
        """
        meaning: dict[str, Json] = {
            "description": self.description,
            "unit": self.unit,
            "columns": list(self.columns),
            "classes": list(self.classes),
        }
        return {key: value for key, value in meaning.items() if value}


def _classes(document: Document) -> tuple[Class, ...]:
    classes = document.items("classes", ())
    for value in classes:
        if not isinstance(value, str | int | float | bool):
            raise DocumentError("not a class", where=f"{document.where}.classes", expected="a text, a number, true or false", found=repr(value)[:100])
    return tuple(classes)
