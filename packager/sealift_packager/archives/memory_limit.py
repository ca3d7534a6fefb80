"""A bound on the memory that reading a model may take: what a file asks for has nothing to do with how large it is."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sealift_packager.errors import PackagerError, SourceModelError

#: A model in memory is larger than its file: packed arrays unfold, small objects cost more than their bytes.
BASE_BYTES: Final = 2**30
BYTES_PER_BYTE: Final = 32


@contextlib.contextmanager
def bounded_memory(path: Path, error: type[PackagerError] = SourceModelError) -> Iterator[None]:
    """Let this process grow by at most 1 GiB and 32 times the file while the block runs; ``error`` where it needs more.

    The kernel counts (RLIMIT_DATA: private memory that can be written, so no libraries and no files that are mapped). On other systems than Linux,
    nothing is bounded. A ``MemoryError`` must leave the block as it is.
    """
    limit = BASE_BYTES + BYTES_PER_BYTE * path.stat().st_size
    try:
        with _growing_by(limit):
            yield
    except MemoryError as reason:
        raise error(
            "reading the file takes more memory than a file of its size should need",
            where=str(path),
            expected=f"at most {limit >> 20:,} MiB for a file of {path.stat().st_size:,} bytes",
            advice="The file may be damaged, or made to exhaust the memory.",
        ) from reason


@contextlib.contextmanager
def _growing_by(limit: int) -> Iterator[None]:
    if not sys.platform.startswith("linux"):
        yield
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    allowed = _data_bytes() + limit
    others = [bound for bound in (soft, hard) if bound != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min([allowed, *others]), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _data_bytes() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmData:")), 0)
