"""What programs connect to and which files they create, as the kernel saw it: strace, in a network namespace that has the loopback alone."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from sealift_core.onnxruntime_environment import SILENT
from support.cli import BIN
from support.offline import can_go_offline, offline
from support.repositories import Repository

#: Variables with which onnxruntime takes a machine for one that builds software, and sends nothing.
HUSHING: Final = ("CI", "GITHUB_ACTIONS", "TF_BUILD", "JENKINS_URL")
_SENDING: Final = ("connect", "sendto", "sendmsg", "sendmmsg")
_CREATING: Final = ("open", "openat", "creat", "mkdir", "mkdirat", "mknod", "mknodat", "symlink", "symlinkat", "rename", "renameat", "renameat2")
#: One call: the process, its name, its arguments, what it returned.
_CALL: Final = re.compile(r"(?P<call>\w+)\((?P<words>.*)\)\s+= (?P<result>.*)")
_UNFINISHED: Final = " <unfinished ...>"
_RESUMED: Final = re.compile(r"<\.\.\. \w+ resumed>")
_FAMILY: Final = re.compile(r"sa_family=(AF_\w+)(?:, (.*?))?\}")
_FOLDER_AND_NAME: Final = re.compile(r'(?:(?:AT_FDCWD|\d+)<(?P<folder>[^>]*)>, )?"(?P<name>(?:[^"\\]|\\.)*)"')
#: Where there is no path of a file: what the kernel and its terminals are.
_NO_FILES: Final = ("/dev/", "/proc/", "/sys/")

#: Where the journey's hub and agent listen.
HUB: Final = "127.0.0.1:8480"
AGENT: Final = "127.0.0.1:8470"

#: A hub, and a device of it that is set up, updates, serves, is asked, looks after itself and reports.
_JOURNEY: Final = r"""
set -eu
hub= agent=
trap 'kill $hub $agent 2>/dev/null || true' EXIT
wait_for() { for _ in $(seq 300); do grep -qs "$1" "$2" && return; sleep 0.1; done; cat "$2" >&2; exit 1; }
ask() { python -c 'import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read().decode())' "$1"; }
sealift-hub serve --data "$PWD/hub" --repo "$PWD/repository" --port 8480 > hub.log 2>&1 & hub=$!
wait_for listening hub.log
sealift-agent init --repo http://127.0.0.1:8480/repository --root repository/metadata/1.root.json --hub http://127.0.0.1:8480 \
    --set timing.report_s=0.5 --set timing.window_s=1 --set timing.poll_s=1 --set timing.probation_s=1
sealift-agent sync
sealift-agent run --port 8470 > agent.log 2>&1 & agent=$!
wait_for url "$SEALIFT_HOME/run/server.json"
ask http://127.0.0.1:8470/v2/models/linear
sealift-agent infer linear --golden
timeout 30 sealift-agent doctor > doctor.txt || true  # what it says is looked at later; with telemetry it may hang at its end
sleep "$SERVING_S"
wait_for 'report 1 of device' hub.log
kill "$agent" && wait "$agent"
kill "$hub" && wait "$hub"
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """Addresses that were connected or sent to ("127.0.0.1:80", "/run/x.sock"), and paths that were created, renamed to, or opened to be created."""

    addresses: frozenset[str]
    created: frozenset[Path]

    def addresses_beside(self, folder: Path) -> set[str]:
        """Addresses, without the sockets in a folder."""
        return {address for address in self.addresses if not Path(address).is_relative_to(folder)}

    def created_outside(self, *folders: Path) -> list[Path]:
        """What was created anywhere else than in these folders."""
        return sorted(path for path in self.created if not any(path.is_relative_to(folder) for folder in folders))


def why_not() -> str:
    """What this machine lacks for `watched`; nothing if it lacks nothing."""
    if shutil.which("strace") is None:
        return "strace is not installed: apt-get install strace"
    if not can_go_offline():
        return "this machine lets nobody make a network namespace"
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(_traced(Path(folder) / "trace", "true"), capture_output=True, check=False)
    return "" if done.returncode == 0 else "this machine lets nobody trace a process"


def watched(work: Path, *words: object, variables: Mapping[str, str], timeout_s: float = 150) -> Seen:
    """Run a command and all that it starts, with an empty home (``work/home``) and a folder for temporary files (``work/tmp``).

    Its environment has none of `HUSHING`.
    """
    environment = {"PATH": f"{BIN}:/usr/bin:/bin", "HOME": str(work / "home"), "TMPDIR": str(work / "tmp"), "PYTHONDONTWRITEBYTECODE": "1"}
    for name in ("home", "tmp"):
        (work / name).mkdir()
    with (work / "output").open("w+") as output:
        argv = _traced(work / "trace", *words)
        process = subprocess.Popen(
            argv, env=environment | dict(variables), cwd=work, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
        try:
            assert process.wait(timeout=timeout_s) == 0, (work / "output").read_text()
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    with (work / "trace").open(encoding="utf-8", errors="replace") as lines:
        return read_trace(lines)


def device_journey(work: Path, serving_s: float, variables: Mapping[str, str] = MappingProxyType({})) -> Seen:
    """`_JOURNEY`, in which the agent serves for so long."""
    repository = Repository(work / "repository", now=datetime.datetime.now(datetime.UTC).replace(microsecond=0))
    repository.add_release("1.0.0")
    settings = {"SEALIFT_HOME": str(work / "device"), "SERVING_S": str(serving_s), **variables}
    return watched(work, "sh", "-c", _JOURNEY, variables=settings)


def left_in(*folders: Path) -> list[Path]:
    """Everything in some folders."""
    return [path for folder in folders for path in folder.rglob("*")]


def make_loud(folder: Path) -> dict[str, str]:
    """Variables with which every Python that inherits them behaves as if nothing of ours forbade onnxruntime's telemetry."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "import os\n"
        "keep = os._Environ.__setitem__\n"
        f"os._Environ.__setitem__ = lambda self, name, value: None if name == {SILENT!r} else keep(self, name, value)\n"
    )
    return {"PYTHONPATH": str(folder)}


def _traced(log: Path, *words: object) -> list[str]:
    calls = f"trace={','.join((*_SENDING, *_CREATING))}"
    return offline("strace", "-f", "-qq", "-y", "--seccomp-bpf", "-s", "4096", "-e", calls, "-e", "signal=none", "-o", log, *words)


def read_trace(lines: Iterator[str]) -> Seen:
    """What an output of strace (``-f -y``) tells."""
    addresses, created = set[str](), set[Path]()
    for call, words, result in _calls(lines):
        if call in _SENDING:
            addresses |= set(_addresses(words, result))
        elif not result.startswith("-1") and (path := _created(call, words, result)) and not str(path).startswith(_NO_FILES):
            created.add(path)
    return Seen(frozenset(addresses), frozenset(created))


def _calls(lines: Iterator[str]) -> Iterator[tuple[str, str, str]]:
    """Whole calls; strace breaks one into two lines where another process came between."""
    begun: dict[str, str] = {}
    for line in lines:
        process, _, text = line.rstrip("\n").partition(" ")
        text = text.strip()
        if text.endswith(_UNFINISHED):
            begun[process] = text.removesuffix(_UNFINISHED)
            continue
        if resumed := _RESUMED.match(text):
            text = begun.pop(process, "") + text[resumed.end() :]
        if whole := _CALL.fullmatch(text):
            yield whole["call"], whole["words"], whole["result"]


def _addresses(words: str, result: str) -> Iterator[str]:
    """Where a call connects or sends to. A local socket that nobody listens on, or the kernel itself (netlink), is nowhere."""
    for family, rest in _FAMILY.findall(words):
        quoted = re.findall(r'"([^"]*)"', rest)
        if family in ("AF_INET", "AF_INET6"):
            port = re.search(r"htons\((\d+)\)", rest)
            yield f"{quoted[-1]}:{port[1] if port else '?'}"
        elif family == "AF_UNIX":
            if "ENOENT" not in result and "ECONNREFUSED" not in result:
                yield quoted[0] if quoted else "a socket without a name"
        elif family not in ("AF_NETLINK", "AF_UNSPEC"):
            yield family


def _created(call: str, words: str, result: str) -> Path | None:
    if call in ("open", "openat"):
        path = re.search(r"<(.*)>$", result)
        return Path(path[1]) if path and "O_CREAT" in words else None
    names = list(_FOLDER_AND_NAME.finditer(words))
    last = names[-1] if names else None
    return Path(os.path.normpath(Path(last["folder"] or "/?") / last["name"])) if last else None
