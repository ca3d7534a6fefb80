"""TorchScript (``torch.jit.save``): a program in torch's own small language with its weights."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sealift_core.errors import nearest
from sealift_packager.errors import SourceModelError, UntrustedPickleError, first_line
from sealift_packager.model import detect
from sealift_packager.model.accepted import UNNAMED
from sealift_packager.model.dynamic import OPTION, free_axes
from sealift_packager.model.source import Array, Arrays, LoadOptions, SourceModel
from sealift_packager.progress.quiet import quiet
from sealift_packager.torch.bound import Arguments, bind_arguments, read_arguments
from sealift_packager.torch.common import import_torch, pick_rows, traced_source, with_requests

#: What of TorchScript's language reaches outside the program: reads, maps, and writes of files.
_REACHES_OUT: Final = re.compile(rb"\b(from_file|save)\b")


def load_script(path: Path, options: LoadOptions) -> SourceModel:
    """Read a scripted or traced module; its inputs' types and shapes come from the data's arrays of the same names, or from an example.

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
    arguments = read_arguments(module, options.requests, path)
    named = {f"--example {number}": request for number, request in enumerate(options.requests, 1)}
    requests = {where: _tensors(request, arguments, where) for where, request in named.items()}
    rows = _rows(arguments, options, [request for request in requests.values() if request], path)
    bound = bind_arguments(torch, module, arguments, list(rows))
    source = traced_source(detect.TORCH_SCRIPT, torch, bound, rows, lambda examples: free_axes(options.dynamic, examples, where=OPTION), path)
    whole = {where: request for where, request in requests.items() if request}
    return with_requests(source, whole) if whole else source


def _tensors(request: Arrays, arguments: Arguments, where: str) -> dict[str, Array]:
    """The tensors of an example, none where it has constants alone; `SourceModelError` for a name that the forward doesn't have."""
    if UNNAMED in request and arguments.tensors:
        request = {arguments.tensors[0]: request[UNNAMED]}
    names = [*arguments.tensors, *arguments.constants]
    unknown = next((name for name in request if name not in names), None)
    if unknown is not None:
        advice = nearest(unknown, names)
        raise SourceModelError("the forward has no such input", where=where, expected=", ".join(names), found=repr(unknown)[:60], advice=advice)
    return {name: value for name, value in request.items() if name in arguments.tensors}


def _rows(arguments: Arguments, options: LoadOptions, requests: Sequence[Arrays], path: Path) -> dict[str, Array]:
    """The data's arrays, or those of the first example."""
    names, required = arguments.tensors, arguments.required
    for arrays in (options.examples, *requests):
        rows = pick_rows(arrays, names, required, options.target)
        if rows is not None:
            return rows
    if not names:
        advice = "Script a module whose forward takes each tensor as an argument of its own, and calls this one."
        raise SourceModelError("no input is a tensor", where=str(path), expected="a forward that takes tensors", advice=advice)
    raise SourceModelError(
        "no example inputs: TorchScript doesn't say the types and shapes of its inputs",
        where=str(path),
        expected=f"data with arrays named {', '.join(required or names)}",
        found=", ".join(options.examples) or "no data",
        advice="Pass --data with arrays of these names.",
    )


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
