"""The files beside an ONNX graph that hold its weights, copied beside our own copy of the graph: what was checked is what is mapped and read."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

import onnx

from sealift_core import durable
from sealift_core.bundle.digest import Digest
from sealift_packager.archives.limits import MAX_BYTES
from sealift_packager.archives.own_copy import copy_plain, open_plain
from sealift_packager.archives.refusals import Refusals
from sealift_packager.errors import SourceModelError
from sealift_packager.graph.content import with_weights
from sealift_packager.graph.tensors import is_reference
from sealift_packager.graph.walk import all_tensors

#: Folders are passed through without being read: a confined build may read the files of weights in one, but not list it.
_PATH_ONLY: Final = getattr(os, "O_PATH", os.O_RDONLY)


def bring_weights(model: onnx.ModelProto, graph: Path, origin: Path) -> Digest:
    """Copy every file of weights once from the folder of ``origin`` to that of ``graph``, and name it by where it now lies.

    ``graph`` is our copy of the model's file. The places must have been checked (`weights.check_weights`). The digest is that of graph and weights
    (`graph.content.model_digest`). Links are followed to what they lead to within the folder, and no further: a link that is put there meanwhile is
    refused.
    """
    folder, digests = origin.parent.resolve(), {}
    refusals, left = Refusals(where=str(origin)), MAX_BYTES
    for tensor in filter(is_reference, all_tensors(model)):
        entry = next(entry for entry in tensor.external_data if entry.key == "location")
        place = (folder / entry.value).resolve().relative_to(folder)
        entry.value = place.as_posix()
        if place not in digests:
            target = graph.parent / place
            target.parent.mkdir(parents=True, exist_ok=True)
            with _open_inside(folder, place) as file, durable.translate_full_disk(graph):
                left -= os.fstat(file.fileno()).st_size
                if left < 0:
                    raise refusals.of("the files of external weights are too large", expected=f"at most {MAX_BYTES >> 30} GiB together", advice="")
                digests[place] = copy_plain(file, target, refusals)
    return with_weights(Digest.of_file(graph), sorted(digests.items()))


@contextlib.contextmanager
def _open_inside(folder: Path, place: Path) -> Iterator[IO[bytes]]:
    """A plain file below the folder, opened step by step without following a link, where the system can."""
    if os.open not in os.supports_dir_fd:
        with open_plain(folder / place, SourceModelError, follow=False) as file:
            yield file
        return
    with contextlib.ExitStack() as stack:
        inside = _open_folder(folder, None, stack)
        for part in place.parts[:-1]:
            inside = _open_folder(Path(part), inside, stack)
        yield stack.enter_context(open_plain(Path(place.name), SourceModelError, follow=False, inside=inside))


def _open_folder(path: Path, inside: int | None, stack: contextlib.ExitStack) -> int:
    try:
        descriptor = os.open(path, _PATH_ONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=inside)
    except OSError as error:
        raise SourceModelError(f"the folder of external weights can't be read ({error.strerror})", where=str(path)) from error
    stack.callback(os.close, descriptor)
    return descriptor
