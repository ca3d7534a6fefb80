"""Nothing leaves a device but what its configuration names, and nothing is left in a user's home: as the kernel saw it.

tests/acceptance/test_silence.py does the same for longer, and for the packager.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest

from support.silence import AGENT, HUB, device_journey, left_in, read_trace, watched, why_not

pytestmark = pytest.mark.long

LACKING = why_not()
ONNXRUNTIME = tuple(int(part) for part in version("onnxruntime").split(".")[:2])
traced = pytest.mark.skipif(bool(LACKING), reason=LACKING)
TRACE = r"""
10 openat(AT_FDCWD</work>, "a.txt", O_WRONLY|O_CREAT|O_CLOEXEC, 0666) = 3</work/a.txt>
10 openat(AT_FDCWD</work>, "b.txt", O_RDONLY|O_CLOEXEC) = 3</work/b.txt>
10 openat(AT_FDCWD</work>, "c.txt", O_WRONLY|O_CREAT, 0666) = -1 EACCES (Permission denied)
10 openat(AT_FDCWD</work>, "/dev/null", O_WRONLY|O_CREAT, 0666) = 3</dev/null<char 1:3>>
10 mkdir("/work/folder", 0777 <unfinished ...>
11 connect(5<socket:[1]>, {sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr("10.0.0.1")}, 16 <unfinished ...>
10 <... mkdir resumed>)             = 0
11 <... connect resumed>)           = -1 ENETUNREACH (Network is unreachable)
10 renameat(4</work>, ".d.partial", 4</work>, "d") = 0
10 mkdir("nearby", 0777) = 0
12 connect(3<socket:[2]>, {sa_family=AF_INET6, sin6_port=htons(443), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, "2001:db8::1", &sin6_addr)}, 28) = 0
12 sendto(3<socket:[2]>, "x", 1, 0, {sa_family=AF_INET, sin_port=htons(9), sin_addr=inet_addr("192.0.2.1")}, 16) = 1
12 sendto(3<socket:[2]>, "sa_family=AF_INET", 17, 0, NULL, 0) = 17
12 sendmsg(3<socket:[2]>, {msg_name={sa_family=AF_NETLINK, nl_pid=0}, msg_namelen=12}, 0) = 20
12 connect(3<socket:[3]>, {sa_family=AF_UNIX, sun_path="/var/run/nscd/socket"}, 110) = -1 ENOENT (No such file or directory)
12 connect(3<socket:[3]>, {sa_family=AF_UNIX, sun_path="/run/systemd/resolve/io"}, 110) = 0
12 +++ exited with 0 +++
"""


def test_what_a_trace_tells_is_read() -> None:
    seen = read_trace(iter(TRACE.strip().splitlines()))
    assert seen.addresses == {"10.0.0.1:53", "2001:db8::1:443", "192.0.2.1:9", "/run/systemd/resolve/io"}
    assert seen.created_outside(Path("/work")) == [Path("/?/nearby")]
    assert seen.created == {Path("/work/a.txt"), Path("/work/folder"), Path("/work/d"), Path("/?/nearby")}


@traced
@pytest.mark.skipif(ONNXRUNTIME < (1, 29), reason="older releases of onnxruntime keep and send nothing on Linux")
def test_onnxruntime_that_nobody_forbids_it_is_seen_to_keep_something(tmp_path: Path) -> None:
    seen = watched(tmp_path, "python", "-c", "import onnxruntime", variables={})
    assert {path.name for path in seen.created_outside(tmp_path / "tmp")} >= {".onnxruntime", "onnxruntime.db"}
    assert left_in(tmp_path / "home") != []


@traced
@pytest.mark.timeout(300)
def test_an_agent_and_a_hub_connect_to_each_other_alone_and_leave_nothing_elsewhere(tmp_path: Path) -> None:
    seen = device_journey(tmp_path, 1)
    assert seen.addresses_beside(tmp_path) == {HUB, AGENT}
    assert seen.created_outside(tmp_path) == []
    assert left_in(tmp_path / "home", tmp_path / "tmp") == []
    assert "ok      telemetry     off here and in the data plane" in (tmp_path / "doctor.txt").read_text()
