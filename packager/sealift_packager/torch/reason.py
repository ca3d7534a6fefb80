"""What torch says when it can't trace a module, made short: the reason, the line of the model that it is about, the dimension that isn't free."""

from __future__ import annotations

import re
import traceback
from pathlib import Path
from typing import Final

from sealift_packager.errors import first_line

#: What torch writes before what would make free dimensions hold, one in each line: ``tokens = Dim('tokens', max=512)``, ``height = 4*_height``.
FIXES: Final = "Suggested fixes:"
_FIXED: Final = re.compile(r"^\s*(\w+) = (\d+)\s*$", re.MULTILINE)
_PACKAGE: Final = Path(__file__).parents[1]
_TOOLS: Final = frozenset(("torch", "torchgen", "onnx_ir", "onnxscript"))
_LINE_CHARACTERS: Final = 160


def reason(error: BaseException) -> str:
    """One line: the error's class, what it says first or which sizes can't be free, and where in the model's own code it arose."""
    fixed = fixed_sizes(error)
    if fixed:
        sizes = ", ".join(f"{name} to be {size}" for name, size in fixed.items())
        return f"{type(error).__name__}: the forward needs {sizes}, as in the example"
    message = f"{type(error).__name__}: {first_line(error):.500}"
    place = _place(error)
    return f"{message}; at {place}" if place else message


def cause(error: BaseException) -> str:
    """One line: the error that all others were raised from. torch.onnx names the operator there, and says above it only which step failed."""
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{type(error).__name__}: {first_line(error):.500}"


def fixed_sizes(error: BaseException) -> dict[str, int]:
    """The free dimensions that the module takes in one size only, with that size; empty where the error is about something else."""
    _, heading, fixes = str(error).partition(FIXES)
    return {name: int(size) for name, size in _FIXED.findall(fixes)} if heading else {}


def suggested_fixes(error: BaseException) -> str:
    """The message up to the last of the suggested fixes, as torch's own reader of it wants it; empty where there are none."""
    message, heading, fixes = str(error).partition(FIXES)
    listed = fixes.strip().partition("\n\n")[0]
    return f"{message}{FIXES}\n{listed}" if heading else ""


def _place(error: BaseException) -> str:
    """The innermost line that is neither torch's, nor a library's that exports, nor ours."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_model(Path(frame.filename))]
    if not frames:
        return ""
    frame = frames[-1]
    return f"{Path(frame.filename).name}:{frame.lineno} in {frame.name} ({(frame.line or '').strip():.{_LINE_CHARACTERS}})"


def _is_model(path: Path) -> bool:
    if path.is_relative_to(_PACKAGE) or not path.suffix:
        return False
    parts = path.parts
    packages = [parts[at + 1] for at, part in enumerate(parts[:-1]) if part in ("site-packages", "dist-packages")]
    return not _TOOLS.intersection(packages) and not path.is_relative_to(Path(traceback.__file__).parent)
