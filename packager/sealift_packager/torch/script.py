"""TorchScript (``torch.jit.save``): a program in torch's own small language with its weights."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any, Final

from sealift_packager.errors import SourceModelError, UntrustedPickleError, first_line
from sealift_packager.model import detect
from sealift_packager.model.dynamic import OPTION, free_axes
from sealift_packager.model.source import LoadOptions, SourceModel
from sealift_packager.progress.quiet import quiet
from sealift_packager.torch.common import import_torch, pick_rows, traced_source

#: What of TorchScript's language reaches outside the program: reads, maps, and writes of files.
_REACHES_OUT: Final = re.compile(rb"\b(from_file|save)\b")


def load_script(path: Path, options: LoadOptions) -> SourceModel:
    """Read a scripted or traced module; its inputs' types and shapes come from the data's arrays of the same names.

    It needs no ``--trust-pickle``: the archive's pickles are read by torch's own reader, which makes tensors, numbers and the archive's own classes
    and calls no Python; its code is run by TorchScript's interpreter, whose operators compute with tensors. The few that touch files are looked
    for before anything is loaded (loading runs code already), and want that trust.
    """
    torch = import_torch(path)
    if not options.trust_pickle:
        _refuse_reaching_out(path)
    try:
        with quiet():
            module = torch.jit.load(str(path), map_location="cpu").eval()
    except Exception as error:  # torch raises anything for a damaged archive, and for operators that it lacks
        raise SourceModelError(
            f"can't be read as TorchScript (caused by: {type(error).__name__}: {first_line(error):.300})",
            where=str(path),
            expected=f"a complete file of torch.jit.save that torch {torch.__version__} can read, with operators of torch itself",
        ) from error
    names, required = _inputs(module, path)
    rows = pick_rows(options.examples, names, required)
    if rows is None:
        raise SourceModelError(
            "no example inputs: TorchScript doesn't say the types and shapes of its inputs",
            where=str(path),
            expected=f"data with arrays named {', '.join(required or names)}",
            found=", ".join(options.examples) or "no data",
            advice="Pass --data with arrays of these names.",
        )
    return traced_source(detect.TORCH_SCRIPT, torch, module, rows, lambda examples: free_axes(options.dynamic, examples, where=OPTION), path)


def _refuse_reaching_out(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if member.filename.lower().endswith(".py") and (match := _REACHES_OUT.search(archive.read(member))):
                raise UntrustedPickleError(
                    "TorchScript with an operator that reads or writes files",
                    where=f"{path}: {member.filename:.200}",
                    expected="code that only computes",
                    found=match[0].decode(),
                    advice="If you trust the file's source, pass --trust-pickle.",
                )


def _inputs(module: Any, path: Path) -> tuple[list[str], list[str]]:
    """The names of the forward's inputs, and those without a default."""
    if not hasattr(module, "forward"):
        raise SourceModelError("TorchScript without a forward", where=str(path), expected="a module with a forward")
    arguments = list(module.forward.schema.arguments)[1:]
    for argument in arguments:
        if not argument.has_default_value() and "Tensor" not in str(argument.type):
            raise SourceModelError("an input is not a tensor", where=f"{path}: {argument.name}", expected="tensors only", found=str(argument.type))
    tensors = [argument for argument in arguments if str(argument.type) in ("Tensor", "Optional[Tensor]")]
    return [argument.name for argument in tensors], [argument.name for argument in tensors if not argument.has_default_value()]
