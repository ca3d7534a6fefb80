"""Run a command where there is no network but the loopback: ``offline(argv)`` gives the command line that does.

As a script, inside a new network namespace, it brings ``lo`` up and becomes the command.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path

SIOCSIFFLAGS = 0x8914
IFF_UP = 0x1


def offline(*words: object) -> list[str]:
    """The command line that runs ``words`` without a network."""
    enter = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--net"]
    return [*enter, sys.executable, str(Path(__file__).absolute()), *map(str, words)]


def can_go_offline() -> bool:
    """Whether this machine lets us make a network namespace."""
    done = subprocess.run(offline("true"), capture_output=True, check=False)
    return done.returncode == 0


def _bring_up_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))


if __name__ == "__main__":
    _bring_up_loopback()
    os.execvp(sys.argv[1], sys.argv[1:])
