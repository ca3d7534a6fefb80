"""What a vendor has: keys, signed releases, and a repository with one of them on channel stable."""

from __future__ import annotations

import atexit
import dataclasses
import functools
import json
import tempfile
from pathlib import Path

from sealift_core.signing.keys import PrivateKey
from support.cli import Ran, call
from support.models import make_bundle, make_release


@dataclasses.dataclass(frozen=True, slots=True)
class Workshop:
    """A folder with ``bundle.pem(.pub)``, ``other.pem(.pub)``, ``secret.pem`` (encrypted), ``release``, ``next``, ``repo`` and ``repo-keys``."""

    directory: Path

    def __truediv__(self, name: str) -> Path:
        return self.directory / name

    @property
    def root(self) -> Path:
        """The repository's root of trust."""
        return self.directory / "repo" / "metadata" / "root.json"


@functools.cache
def workshop() -> Workshop:
    """The one of this test process; nobody changes it."""
    place = tempfile.TemporaryDirectory(prefix="sealift-workshop.")
    atexit.register(place.cleanup)
    work = Path(place.name)
    for name, passphrase in (("bundle", None), ("other", None), ("secret", b"correct horse")):
        key = PrivateKey.generate()
        key.save(work / f"{name}.pem", passphrase)
        (work / f"{name}.pem.pub").write_bytes(key.public_key.pem())
    signer = PrivateKey.load(work / "bundle.pem")
    for name, version in (("release", "1.0.0"), ("next", "1.1.0")):
        make_bundle(work / f"{name}-bundle", version=version, key=signer)
        make_release(work / name, work / f"{name}-bundle", key=signer)
    call("sealift", "repo", "init", work / "repo").ok()
    call("sealift", "repo", "add", work / "repo", work / "release").ok()
    call("sealift", "repo", "promote", work / "repo", "linear", "1.0.0", "--channel", "stable").ok()
    return Workshop(work)


def assert_refused(done: Ran, code: int, *expected: str) -> None:
    """Assert that a command said what is wrong, in one message, with this exit code and nothing on standard output."""
    text = done.err + done.out
    assert done.code == code, text
    assert "Traceback" not in text
    assert len(done.complaint.splitlines()) == 1, text
    assert done.complaint.startswith("error: "), text
    for words in expected:
        assert words in done.complaint, f"{words!r} is not in {done.err!r}"


def refused_as_json(done: Ran, code: int, error_class: str) -> str:
    """Assert that a command under --json said what is wrong as JSON on standard error; the message."""
    assert done.code == code, done.err + done.out
    answer = json.loads(done.err)
    assert (answer["exit_code"], answer["kind"]) == (code, error_class)
    assert set(answer) == {"error", "kind", "exit_code"}
    return str(answer["error"])
