"""What a confined process tries that it must not be able to do. Each attempt gives the name of the error that it met, or ``worked``."""

from __future__ import annotations

import ctypes
import encodings.ascii  # noqa: F401  # an ordinary user may not be able to read the interpreter of the tests
import encodings.idna  # noqa: F401
import errno
import fcntl
import json
import os
import platform
import resource
import signal
import socket
import struct
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sealift_core.process.sandbox import Confinement, confine
from sealift_core.schema.documents import Document

WORKED = "worked"
#: What the attempts are made on, by name, in a folder that stands for an agent's home.
KEY, OTHER, BUNDLE, SOCKET = "keys/device.pem", "bundles/other/model.onnx", "bundles/mine/model.onnx", "agent.sock"
_X86 = platform.machine() == "x86_64"


def _syscall(number: int, *arguments: Any) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    result = libc.syscall(ctypes.c_long(number), *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return int(result)


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, ctypes.c_ulong(value), 0, 0, 0) < 0:
        raise OSError(ctypes.get_errno(), "prctl")


def _open(path: Path, flags: int) -> None:
    os.close(os.open(path, flags, 0o600))


def _create(path: Path) -> None:
    _open(path, os.O_WRONLY | os.O_CREAT)
    path.unlink()


def _connect(family: int, socket_type: int, address: Any) -> None:
    with socket.socket(family, socket_type) as made:
        made.connect(address)
        made.send(b"x")


def _bind() -> None:
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        made.listen()


def reading(home: Path, victim: int) -> dict[str, Callable[[], Any]]:
    """Attempts to read what isn't the bundle's."""
    return {
        "read the device's key": (home / KEY).read_bytes,
        "read agent.toml": (home / "agent.toml").read_bytes,
        "read the shadow file": Path("/etc/shadow").read_bytes,
        "list the home": lambda: [*home.iterdir()],
        "list the bundles": lambda: [*(home / "bundles").iterdir()],
        "list the root": lambda: [*Path("/").iterdir()],
        "read another bundle": (home / OTHER).read_bytes,
        "read another bundle through its own": (home / "bundles/mine/../other/model.onnx").read_bytes,
        "read the key by a link in the bundle": (home / "bundles/mine/link").read_bytes,
        "read another's environment": Path(f"/proc/{victim}/environ").read_bytes,
    }


def writing(home: Path) -> dict[str, Callable[[], Any]]:
    """Attempts to change files, those of the bundle and of the world."""
    mine, new = home / BUNDLE, home / "bundles/mine/new"
    return {
        "open for writing": lambda: _open(mine, os.O_WRONLY),
        "open for both": lambda: _open(mine, os.O_RDWR),
        "append": lambda: _open(mine, os.O_WRONLY | os.O_APPEND),
        "empty by opening": lambda: _open(mine, os.O_WRONLY | os.O_TRUNC),
        "empty by opening for reading": lambda: _open(mine, os.O_RDONLY | os.O_TRUNC),
        "empty the key": lambda: _open(home / KEY, os.O_RDONLY | os.O_TRUNC),
        "truncate": lambda: os.truncate(mine, 0),
        "create": lambda: _open(new, os.O_RDONLY | os.O_CREAT),
        "create in /tmp": lambda: _create(Path(f"/tmp/sealift-attack-{os.getpid()}")),
        "create in shared memory": lambda: _create(Path(f"/dev/shm/sealift-attack-{os.getpid()}")),
        "create without a name": lambda: _open(home / "bundles/mine", os.O_RDWR | os.O_TMPFILE),
        "open by openat2": lambda: _syscall(437, -100, os.fsencode(mine), struct.pack("=QQQ", os.O_WRONLY, 0, 0), ctypes.c_long(24)),
        "unlink": mine.unlink,
        "rename": lambda: mine.rename(new),
        "make a folder": new.mkdir,
        "remove a folder": (home / "bundles/mine").rmdir,
        "link": lambda: os.link(mine, new),
        "link by name": lambda: new.symlink_to(mine),
        "make a pipe with a name": lambda: os.mkfifo(new),
        "change the mode": lambda: mine.chmod(0o777),
        "change the owner": lambda: os.chown(mine, 1, 1),
        "change the times": lambda: os.utime(mine),
        "set an attribute": lambda: os.setxattr(mine, "user.x", b"x"),
    }


def reaching(home: Path, port: int) -> dict[str, Callable[[], Any]]:
    """Attempts to reach the network and sockets of this machine."""
    return {
        "connect": lambda: _connect(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", port)),
        "send a datagram": lambda: _connect(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 53)),
        "connect to the agent's socket": lambda: _connect(socket.AF_UNIX, socket.SOCK_STREAM, os.fspath(home / SOCKET)),
        "connect to an abstract socket": lambda: _connect(socket.AF_UNIX, socket.SOCK_STREAM, f"\0sealift-attack-{port}"),
        "open a netlink socket": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close(),
        "listen": _bind,
        "make a pair of sockets": socket.socketpair,
        "set up io_uring": lambda: _syscall(425, 8, ctypes.create_string_buffer(120)),
    }


def starting(victim: int) -> dict[str, Callable[[], Any]]:
    """Attempts on processes that do no harm where they work."""
    return {"fork": lambda: os.fork() or os._exit(0), "signal another": lambda: os.kill(victim, 0)}


def acting(victim: int) -> dict[str, Callable[[], Any]]:
    """Attempts to start, change or disturb processes, or this one's own walls. Never without walls: some of it would work."""
    return starting(victim) | _disturbing(victim) | _freeing() | _asking_the_kernel()


def _call(numbers: tuple[int, int], *arguments: Any) -> Callable[[], int]:
    """A system call by its numbers on x86-64 and on arm64."""
    return lambda: _syscall(numbers[0 if _X86 else 1], *arguments)


def _disturbing(victim: int) -> dict[str, Callable[[], Any]]:
    """Attempts on another process, or to start one."""
    return {
        "run a program": lambda: os.execv("/nowhere/at/all", ["x"]),
        "clone3 a process": lambda: _syscall(435, struct.pack("=11Q", *(0,) * 4, signal.SIGCHLD, *(0,) * 6), 88) or os._exit(0),
        "signal a group": lambda: os.killpg(os.getpgid(victim), 0),
        "signal a thread of another": _call((234, 131), victim, victim, 0),
        "queue a signal for another": _call((129, 138), victim, 0, ctypes.create_string_buffer(128)),
        "open another": lambda: _syscall(434, victim, 0),
        "trace another": _call((101, 117), 16, victim, 0, 0),
        "read another's memory": _call((310, 270), victim, 0, 0, 0, 0, 0),
        "limit another": lambda: resource.prlimit(victim, resource.RLIMIT_NOFILE, (10, 10)),
        "bind another to a core": lambda: os.sched_setaffinity(victim, {0}),
        "slow another down": lambda: os.setpriority(os.PRIO_PROCESS, victim, 10),
        "have signals sent to another": lambda: fcntl.fcntl(1, fcntl.F_SETOWN, victim),
        "leave the group": lambda: os.setpgid(0, victim),
    }


def _freeing() -> dict[str, Callable[[], Any]]:
    """Attempts of a process to get rid of its own walls."""
    return {
        "leave the session": os.setsid,
        "become root": lambda: os.setresuid(0, 0, 0) if os.getuid() else os.setresuid(1, 1, 1),
        "take capabilities": _take_capabilities,
        "outlive the parent": lambda: _prctl(1, 0),
        "be traced": lambda: _prctl(4, 1),
        "filter anew": lambda: _prctl(22, 1),
        "raise a limit": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1, 1)),
        "enter other namespaces": lambda: _syscall(272 if _X86 else 97, 0x10000000),
        "join namespaces": _call((308, 268), 0, 0),
        "change the root": lambda: os.chroot("/tmp"),
    }


def _asking_the_kernel() -> dict[str, Callable[[], Any]]:
    """Attempts to use what of the kernel reaches beyond a process."""
    return {
        "mount": _call((165, 40), b"none", b"/tmp", b"tmpfs", 0, 0),
        "load a program into the kernel": _call((321, 280), 0, 0, 0),
        "watch the kernel": _call((298, 241), 0, 0, 0, 0, 0),
        "handle page faults": _call((323, 282), 0),
        "use the keyring": _call((250, 219), 0, 0, 0, 0, 0),
        "open by handle": _call((304, 265), -100, ctypes.create_string_buffer(16), 0),
        "make a file in memory": _call((319, 279), b"x", 0),
        "share memory by key": _call((29, 194), 0, 4096, 0o1600),
        "read the kernel's log": _call((103, 116), 3, ctypes.create_string_buffer(10), 10),
        "set the clock": _call((227, 112), 0, ctypes.create_string_buffer(16)),
    }


def _take_capabilities() -> None:
    """Ask for every capability."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.capset(struct.pack("=Ii", 0x20080522, 0), struct.pack("=6I", *(0xFFFFFFFF, 0xFFFFFFFF, 0) * 2)) < 0:
        raise OSError(ctypes.get_errno(), "capset")


def attempt(attempts: Mapping[str, Callable[[], Any]]) -> dict[str, str]:
    """How each ends."""
    outcomes = {}
    for name, act in attempts.items():
        try:
            act()
        except OSError as error:
            outcomes[name] = errno.errorcode.get(error.errno or 0, str(error))
        except ValueError:  # what the module resource makes of EPERM
            outcomes[name] = "EPERM"
        else:
            outcomes[name] = WORKED
    return outcomes


def main() -> None:
    """Become the user in the first argument (0: stay), confine this process, and attack; the outcomes go to the descriptor in the last."""
    uid, parent, victim, port, home = *map(int, sys.argv[1:5]), Path(sys.argv[5])
    confinement = Confinement.parse(Document.parse_json(sys.argv[6].encode(), where="confinement", max_bytes=10**6))
    if uid:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    walls = confine(confinement, parent)
    outcomes = {
        "walls": walls.json(),
        "ids": [*os.getresuid(), *os.getresgid(), len(os.getgroups()) if walls.other_user else 0],
        "capabilities": _capabilities(),
        "mine": (home / BUNDLE).read_text(),
        "reading": attempt(reading(home, victim)),
        "writing": attempt(writing(home)),
        "reaching": attempt(reaching(home, port)),
        "acting": attempt(acting(victim) if confinement.walls else starting(victim)),
    }
    with os.fdopen(int(sys.argv[7]), "w") as file:
        json.dump(outcomes, file)


def _capabilities() -> dict[str, str]:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return {line.split(":")[0]: line.split()[1].lstrip("0") for line in lines if line.startswith(("Cap", "NoNewPrivs", "Seccomp:"))}


if __name__ == "__main__":
    main()
