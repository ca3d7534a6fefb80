"""A module runs behind walls, and an end before it was reached is never the fault of what it was to read."""

from __future__ import annotations

import errno
import platform
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sealift_core.errors import SandboxError
from sealift_core.process import confined, landlock, seccomp
from sealift_core.process.probe import MODULE, try_walls
from sealift_core.process.sandbox import Confinement, Walls, describe_walls, missing_walls
from sealift_core.schema.documents import Document
from support.confined import behind_walls

ALL = Walls(landlock_abi=7, seccomp=True, other_user=True, root=False)


def test_a_confinement_and_its_walls_survive_the_way_to_the_child_and_back() -> None:
    confinement = Confinement(
        readable=(Path("/a"),), writable=(Path("/b"),), devices=(Path("/c"),), memory_bytes=1, cpu_s=2, file_bytes=3, newest_abi=4
    )
    for original in (confinement, Confinement(walls=False)):
        assert Confinement.parse(Document(original.json(), "confinement")) == original
    assert Walls.parse(Document(ALL.json(), "walls")) == ALL


@pytest.mark.skipif(landlock.detect() == 0 or not seccomp.supported(), reason="the walls of this machine leave something open")
def test_the_walls_hold_where_doctor_tries_them(tmp_path: Path) -> None:
    secret = tmp_path / "device.pem"
    secret.write_text("secret")
    walls, leaks = try_walls(secret)
    assert walls.landlock_abi > 0
    assert walls.seccomp
    assert leaks == []


def test_a_module_that_can_t_be_imported_is_no_result() -> None:
    with pytest.raises(SandboxError, match="could not be set up: found ModuleNotFoundError: No module named 'sealift_runtime.absent'"):
        confined.run_confined("sealift_runtime.absent", [], Confinement(), timeout_s=20)


def test_a_process_that_never_comes_up_is_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confined, "MODULE", "sealift_runtime.absent")
    with pytest.raises(SandboxError, match="did not start: found it ended with exit status 1; it printed .*No module named"):
        confined.run_confined(MODULE, ["/x"], Confinement(), timeout_s=20)


#: An agent in a service whose filter doesn't know the calls of the sandbox, like systemd's @system-service: it kills, or refuses them.
IN_A_SERVICE = """
import platform, struct, sys
from sealift_core.process import seccomp
from sealift_core.process.confined import run_confined
from sealift_core.process.kernel import prctl
from sealift_core.process.probe import MODULE
from sealift_core.process.sandbox import Confinement
own = seccomp.SECCOMP[seccomp.ARCHITECTURES[platform.machine()][0]]
rules = [(0x20, 0, 0, 0), (0x15, 2, 0, 444), (0x15, 1, 0, own), (0x06, 0, 0, 0x7FFF0000), (0x06, 0, 0, {verdict})]
prctl(38, 1)
assert seccomp.apply(b"".join(struct.pack("=HBBI", *rule) for rule in rules), flags=False)
walls = run_confined(MODULE, ["/dev/null"], Confinement(), timeout_s=60).walls
print(walls.landlock_abi, walls.seccomp)
"""


@pytest.mark.skipif(not seccomp.supported(), reason="no filters")
@pytest.mark.parametrize("verdict", [0x80000000, 0x00000000, 0x00050000 | errno.EPERM], ids=["kills the process", "kills the thread", "refuses"])
def test_a_service_manager_that_forbids_newer_calls_leaves_the_older_walls(verdict: int) -> None:
    done = subprocess.run([sys.executable, "-P", "-c", IN_A_SERVICE.format(verdict=verdict)], capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout.split() == ["0", "True"], done.stderr


@pytest.mark.skipif(platform.machine() != "x86_64" or sys.platform != "linux", reason="the 32-bit calls of x86")
@pytest.mark.skipif(not seccomp.supported(), reason="no filters")
def test_a_call_of_another_architecture_ends_the_process() -> None:
    script = """
        import ctypes, mmap
        code = bytes([0xB8, 20, 0, 0, 0, 0xCD, 0x80, 0xC3])  # getpid by the 32-bit gate
        page = mmap.mmap(-1, 4096, prot=7)
        page.write(code)
        ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
    """
    assert behind_walls(script).status in (-signal.SIGSYS, -signal.SIGSEGV)


@pytest.mark.parametrize(
    ("walls", "words"),
    [
        (ALL, []),
        (Walls(landlock_abi=0, seccomp=True, other_user=False, root=False), ["has no Landlock", "the service's user can read"]),
        (Walls(landlock_abi=0, seccomp=True, other_user=False, root=True), ["what root can read", "run the service as a user of its own"]),
        (Walls(landlock_abi=2, seccomp=False, other_user=True, root=False), ["emptying files, TCP, ioctl", "Without seccomp"]),
        (Walls(landlock_abi=2, seccomp=True, other_user=True, root=False), []),
    ],
)
def test_what_a_machine_lacks_is_said_with_what_it_means(walls: Walls, words: list[str]) -> None:
    sentences = missing_walls(walls)
    assert bool(sentences) == bool(words)
    for word in words:
        assert any(word in sentence for sentence in sentences), sentences


def test_walls_are_described_in_words() -> None:
    assert describe_walls(ALL) == "models are tested behind Landlock (ABI 7), seccomp filters, another user"
    none = Walls(landlock_abi=0, seccomp=False, other_user=False, root=False)
    assert describe_walls(none) == "models are tested with limits of memory and time only"


@pytest.mark.parametrize(
    ("abi", "files", "network", "scopes", "size"),
    [(1, 13, 0, 0, 8), (2, 14, 0, 0, 8), (3, 15, 0, 0, 8), (4, 15, 2, 0, 16), (5, 16, 2, 0, 16), (7, 16, 2, 2, 24)],
)
def test_each_version_of_landlock_is_asked_for_all_that_it_can_forbid(abi: int, files: int, network: int, scopes: int, size: int) -> None:
    rights = landlock.rights(abi)
    assert (rights.files, rights.network, rights.scopes) == (2**files - 1, 2**network - 1, 2**scopes - 1)
    assert len(rights.encoded(abi)) == size
