"""What a manifest or a measuring job may set of an onnxruntime session. One list, for packing, publishing, verifying, loading and measuring.

onnxruntime knows more than seventy session entries. Some write files, some read them, some load libraries; which ones do changes with its
version. So only the entries below are passed on, with these values: they change how a graph is computed, and nothing else. The same holds for
execution providers: those that the product supports, with options that `sealift_runtime.engine` sets itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sealift_core.errors import DocumentError, nearest
from sealift_core.schema.documents import Document

#: Ours: "0" gives memory back after each request instead of keeping an arena of it.
ARENA_KEY: Final = "sealift.cpu_arena"
#: Every entry that may be set, with its values. The packager writes no others.
ENTRIES: Final[Mapping[str, tuple[str, ...]]] = {
    ARENA_KEY: ("0", "1"),
    "session.disable_quant_qdq": ("0", "1"),
    "session.force_spinning_stop": ("0", "1"),
}
CPU_PROVIDER: Final = "CPUExecutionProvider"
#: Execution providers that an accelerator is reached by.
ACCELERATOR_PROVIDERS: Final = ("CUDAExecutionProvider", "TensorrtExecutionProvider", "OpenVINOExecutionProvider")
#: Every execution provider that a bundle may ask for. Others reach a network (Azure) or load what an option names.
PROVIDERS: Final = (CPU_PROVIDER, *ACCELERATOR_PROVIDERS)
#: More threads than any machine of ours has cores. A device never starts more than it has cores, whatever is asked for.
MAX_THREADS: Final = 512
GRAPH_LEVELS: Final = ("disable", "basic", "extended", "all")
_ADVICE: Final = "Remove it and pack the model again. A bundle may only compute."
_SHOWN_CHARACTERS: Final = 100


def parse_entries(document: Document) -> dict[str, str]:
    """Read the session entries of a document.

    Args:
        document: The table of entries.

    Returns:
        The values by entry.

    Raises:
        DocumentError: If an entry or a value isn't in `ENTRIES`.
        LimitError: If a text is too long.
    """
    entries = {key: document.text(key) for key in document.names()}
    check_entries(entries, where=document.where)
    return entries


def check_entries(entries: Mapping[str, str], *, where: str) -> None:
    """Check session entries against `ENTRIES`.

    Args:
        entries: The values by entry.
        where: What errors call the table.

    Raises:
        DocumentError: If an entry or a value isn't there.
    """
    for key, value in entries.items():
        if key not in ENTRIES:
            raise DocumentError(
                "this session entry isn't allowed",
                where=where,
                expected=f"one of {', '.join(ENTRIES)}",
                found=_shown(key),
                advice=nearest(key[:_SHOWN_CHARACTERS], list(ENTRIES)) or _ADVICE,
            )
        if value not in ENTRIES[key]:
            expected = " or ".join(map(repr, ENTRIES[key]))
            raise DocumentError("this value isn't allowed for the session entry", where=f"{where}.{key}", expected=expected, found=_shown(value))


def check_providers(providers: tuple[str, ...], *, where: str) -> None:
    """Check execution providers against `PROVIDERS`.

    Args:
        providers: Their names, the preferred one first.
        where: What errors call the list.

    Raises:
        DocumentError: If there are none, or one isn't supported or is there twice.
    """
    for name in providers:
        if name not in PROVIDERS:
            expected = f"one of {', '.join(PROVIDERS)}"
            raise DocumentError("an execution provider that isn't supported", where=where, expected=expected, found=_shown(name))
    if not providers or len(set(providers)) != len(providers):
        raise DocumentError(
            "not a list of execution providers", where=where, expected="at least one, and none of them twice", found=str(list(providers))
        )


def check_threads(threads: int, *, where: str) -> None:
    """Check a number of threads that a session asks for.

    Args:
        threads: The number.
        where: What errors call it.

    Raises:
        DocumentError: If it isn't 1 to `MAX_THREADS`.
    """
    if not 1 <= threads <= MAX_THREADS:
        raise DocumentError("out of range", where=where, expected=f"1 to {MAX_THREADS} threads", found=str(threads))


def _shown(text: str) -> str:
    return repr(text[:_SHOWN_CHARACTERS])
