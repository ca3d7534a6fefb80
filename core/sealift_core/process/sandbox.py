"""The walls around a process that reads what others made, in the order in which they are put up.

1. Limits of the kernel: processor time, sizes of files (0: none can grow), open files, threads, no core dump.
2. no_new_privs: nothing that it starts gains rights.
3. Landlock (`sealift_core.process.landlock`), where the kernel has it: the named paths alone can be opened, beside the interpreter,
   its libraries, and what those read of /proc and /sys; none for writing but the named ones; no TCP.
4. Another user and no capabilities (`sealift_core.process.identity`).
5. It ends with its parent.
6. seccomp (`sealift_core.process.seccomp`), where the kernel and the architecture have it: no system call but those to read and compute.

Whatever a machine lacks is left out and named in `Walls`; whatever it has and refuses is a `SandboxError`. Landlock and the user are this
thread's: put the walls up before any other starts. Modes, owners and sizes of files outside remain visible.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import resource
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from sealift_core.errors import SandboxError
from sealift_core.process import identity, landlock, seccomp
from sealift_core.process.child import die_with_parent
from sealift_core.process.kernel import prctl
from sealift_core.schema.documents import Document, Json

MAX_OPEN_FILES: Final = 1024
#: Of the user, whatever they belong to: far more than any library starts, and too few to use up a machine's process ids.
MAX_THREADS: Final = 8192
_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 4, 38
#: What an interpreter, numpy and onnxruntime read beside their own files.
LIBRARIES: Final = ("/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/local/lib", "/lib", "/lib64")
SYSTEM: Final = (
    *("/etc/ld.so.cache", "/etc/localtime", "/usr/share/zoneinfo", "/dev/null", "/dev/zero", "/dev/urandom", "/dev/random"),
    *(f"/proc/self/{name}" for name in ("auxv", "cgroup", "cmdline", "maps", "stat", "statm", "status")),
    *("/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/version", "/proc/filesystems", "/proc/sys/vm", "/proc/sys/kernel/osrelease"),
    *("/sys/devices/system/cpu", "/sys/devices/system/node", "/sys/kernel/mm/transparent_hugepage", "/sys/fs/cgroup"),
    *("/sys/bus/pci", "/sys/class/drm"),
)
_LINKER_FOLDERS: Final = ("/etc/ld.so.conf", "/etc/ld.so.conf.d")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Confinement:
    """What a process may do. With ``writable`` or ``devices`` it keeps its user, whose they may be.

    Attributes:
        readable: Files, or folders with all below them, to read.
        writable: Files, or folders with all below them, to write. Where there is no Landlock, this isn't a bound.
        devices: What is opened for reading, writing and ioctl.
        memory_bytes: What may be allocated beyond the interpreter and the imported libraries (threads by their stacks, so that a bound on memory is
            one on threads; other processes can't be started). None for no bound.
        cpu_s: The processor time of all threads together, in seconds; None for no bound.
        file_bytes: The size of a file that is written.
        walls: Off if only the limits are to hold.
        newest_abi: The newest version of Landlock's interface to use. 0 makes no system call of Landlock, nor seccomp(2): filters come by prctl then.
    """

    readable: tuple[Path, ...] = ()
    writable: tuple[Path, ...] = ()
    devices: tuple[Path, ...] = ()
    memory_bytes: int | None = None
    cpu_s: int | None = None
    file_bytes: int = 0
    walls: bool = True
    newest_abi: int = landlock.NEWEST_ABI

    def json(self) -> dict[str, Json]:
        """Write what the parent hands to the child."""
        paths: dict[str, Json] = {name: [str(path) for path in getattr(self, name)] for name in ("readable", "writable", "devices")}
        numbers = {name: getattr(self, name) for name in ("memory_bytes", "cpu_s", "file_bytes", "walls", "newest_abi")}
        return paths | numbers

    @classmethod
    def parse(cls, document: Document) -> Confinement:
        """Read what `json` wrote.

        Args:
            document: The table that the parent handed over.

        Returns:
            The confinement.

        Raises:
            DocumentError: If a field is missing, or of another type.
            LimitError: If there are more than 10,000 paths of one sort.
        """
        paths = {name: tuple(Path(path) for path in document.texts(name, max_items=10_000)) for name in ("readable", "writable", "devices")}
        return cls(
            **paths,
            memory_bytes=document.integer("memory_bytes") if document.has("memory_bytes") else None,
            cpu_s=document.integer("cpu_s") if document.has("cpu_s") else None,
            file_bytes=document.integer("file_bytes"),
            walls=document.boolean("walls"),
            newest_abi=document.integer("newest_abi"),
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Walls:
    """What holds around a process.

    Attributes:
        landlock_abi: The version of Landlock's interface; 0 for none.
        seccomp: Whether system calls are filtered.
        other_user: Whether it is no longer root, as it was.
        root: Whether it is root.
    """

    landlock_abi: int
    seccomp: bool
    other_user: bool
    root: bool

    def json(self) -> dict[str, Json]:
        """Write what the child sends to the parent."""
        return {"landlock_abi": self.landlock_abi, "seccomp": self.seccomp, "other_user": self.other_user, "root": self.root}

    @classmethod
    def parse(cls, document: Document) -> Walls:
        """Read what `json` wrote.

        Args:
            document: The table that the child sent.

        Returns:
            The walls.

        Raises:
            DocumentError: If a field is missing, of another type, or negative.
        """
        return cls(
            landlock_abi=document.integer("landlock_abi", minimum=0),
            seccomp=document.boolean("seccomp"),
            other_user=document.boolean("other_user"),
            root=document.boolean("root"),
        )


def confine(confinement: Confinement, parent: int) -> Walls:
    """Put the walls up around this process, which has no other thread yet, in the order of the module's docstring.

    Args:
        confinement: What the process may do.
        parent: The id of the process to end with.

    Returns:
        Which walls stand.

    Raises:
        SandboxError: If the kernel has a wall and refuses it.
        OSError: If the kernel won't end this process with its parent.
    """
    with _refusing("its limits"):
        _limit(confinement)  # 1
    if sys.platform != "linux" or not confinement.walls:
        die_with_parent(parent)
        return Walls(landlock_abi=0, seccomp=False, other_user=False, root=os.geteuid() == 0)
    with _refusing("no_new_privs"):
        prctl(_PR_SET_DUMPABLE, 0)
        prctl(_PR_SET_NO_NEW_PRIVS, 1)  # 2
    with _refusing("Landlock"):
        abi = _shut_in(confinement)  # 3
    with _refusing("another user"):
        other_user = identity.become_nobody(may_read_all=abi > 0, change_user=not (confinement.devices or confinement.writable))  # 4
    die_with_parent(parent)  # 5
    with _refusing("seccomp"):
        return Walls(landlock_abi=abi, seccomp=_filter(confinement), other_user=other_user, root=os.geteuid() == 0)  # 6


def _shut_in(confinement: Confinement) -> int:
    """Restrict this thread by Landlock; the version that holds, 0 for none."""
    abi = min(landlock.detect(), confinement.newest_abi) if confinement.newest_abi else 0
    if abi:
        readable = [*confinement.readable, *interpreter_files()]
        landlock.restrict(abi, readable=readable, writable=confinement.writable, devices=confinement.devices)
    return abi


def interpreter_files() -> Iterator[Path]:
    """List what this interpreter and its libraries read: modules, shared libraries, and facts about the machine.

    Yields:
        Absolute paths of files and folders, which need not exist.
    """
    folders = (*sys.path, f"{sys.base_prefix}/lib", *os.environ.get("LD_LIBRARY_PATH", "").split(":"), *LIBRARIES, *SYSTEM)
    yield from (Path(path) for path in folders if path.startswith("/"))
    yield from _linker_folders()
    yield from Path("/sys/devices").glob("pci*")


def describe_walls(walls: Walls) -> str:
    """Say what confines a model under test.

    Args:
        walls: The walls that stand.

    Returns:
        A clause without a full stop.
    """
    parts = [f"Landlock (ABI {walls.landlock_abi})"] if walls.landlock_abi else []
    parts += ["seccomp filters"] if walls.seccomp else []
    parts += ["another user"] if walls.other_user else []
    return f"models are tested behind {', '.join(parts)}" if parts else "models are tested with limits of memory and time only"


def missing_walls(walls: Walls) -> Sequence[str]:
    """Say what a machine doesn't offer, and what that means.

    Args:
        walls: The walls that stand.

    Returns:
        A sentence for each; nothing if all walls stand.
    """
    sentences = []
    if not walls.landlock_abi:
        whose = "root" if walls.root else "the service's user"
        sentences.append(
            f"The kernel has no Landlock, or it is off. A model under test can read what {whose} can read, but it can't send it anywhere."
        )
    elif gaps := [] if walls.seccomp else landlock.missing(walls.landlock_abi):
        sentences.append(f"The kernel's Landlock (ABI {walls.landlock_abi}) doesn't cover {', '.join(gaps)}.")
    if not walls.seccomp:
        sentences.append("Without seccomp filters a model under test isn't kept from the network, other processes, and all system calls.")
    if walls.root:
        sentences.append("The test runs as root, without capabilities: run the service as a user of its own (see docs/how-to/install-an-agent.md).")
    return sentences


def _limit(confinement: Confinement) -> None:
    limits = {resource.RLIMIT_CORE: 0, resource.RLIMIT_FSIZE: confinement.file_bytes, resource.RLIMIT_NOFILE: MAX_OPEN_FILES}
    limits[resource.RLIMIT_NPROC] = MAX_THREADS
    if confinement.cpu_s is not None:
        limits[resource.RLIMIT_CPU] = confinement.cpu_s
    for limit, value in limits.items():
        _, hard = resource.getrlimit(limit)
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        # The soft limit of processor time ends the process with a signal of its own, the hard one with SIGKILL
        resource.setrlimit(limit, (bound, bound if limit != resource.RLIMIT_CPU or hard != resource.RLIM_INFINITY else bound + 1))


def _filter(confinement: Confinement) -> bool:
    if not seccomp.supported():
        return False
    code = seccomp.program(os.uname().machine, os.getpid(), writes=bool(confinement.writable), devices=bool(confinement.devices))
    return seccomp.apply(code, flags=confinement.newest_abi > 0)


def _linker_folders() -> Iterator[Path]:
    """The folders of shared libraries that the system's linker was told of, like those of CUDA."""
    for path in (Path(_LINKER_FOLDERS[0]), *sorted(Path(_LINKER_FOLDERS[1]).glob("*.conf"))):
        with contextlib.suppress(OSError):
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
            yield from (Path(line.strip()) for line in lines if line.startswith("/"))


@contextlib.contextmanager
def _refusing(wall: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        advice = "Run sealift-agent doctor; if a service manager filters system calls, allow those in docs/how-to/install-an-agent.md."
        raise SandboxError(f"the kernel has {wall} and refuses it ({error.strerror})", where="sandbox", advice=advice) from error
