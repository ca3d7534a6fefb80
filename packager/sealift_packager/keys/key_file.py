"""A signing key in a file: whether it can be used is known before any long work, and it is loaded when it signs.

Until then it is in no process that lives on. Another one opens it once, for as long as that takes, and says whose public half it has.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Self

from sealift_core.errors import KeyFileError, SealiftError
from sealift_core.process.child import clean_environment
from sealift_core.signing.keys import PrivateKey, PublicKey
from sealift_core.terminal.printing import say_json
from sealift_packager.sandbox.failures import decode_failure, encode_failure

TIMEOUT_S: Final = 60.0
_ENCRYPTED: Final = b"ENCRYPTED"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class KeyFile:
    """A `Signer` whose private half is read from its file whenever it signs."""

    path: Path
    public_key: PublicKey
    passphrase: bytes | None

    @classmethod
    def check(cls, path: Path, given: Sequence[bytes] = (), ask: Callable[[KeyFileError], bytes] | None = None) -> Self:
        """A key that can be used, with one of the passphrases that are ``given`` if it has one, or else with what ``ask`` answers.

        Raises `KeyFileError` if it can't be read, or none opens it.
        """
        answer = _open_elsewhere(path, given)
        if ask is not None and answer.get("locked"):
            given = [ask(_error(answer))]
            answer = _open_elsewhere(path, given)
        if "failed" in answer:
            raise _error(answer)
        number = answer["passphrase"]
        return cls(path=path, public_key=PublicKey.from_pem(answer["public"].encode()), passphrase=None if number is None else given[number])

    def sign(self, message: bytes) -> bytes:
        """Load the key and sign; `KeyFileError` if the file holds another key by now."""
        key = PrivateKey.load(self.path, self.passphrase)
        if key.public_key.fingerprint != self.public_key.fingerprint:
            expected, found = f"{self.public_key.fingerprint[:16]}…", f"{key.public_key.fingerprint[:16]}…"
            raise KeyFileError("the key was replaced during the build", where=str(self.path), expected=expected, found=found)
        return key.sign(message)


def _open_elsewhere(path: Path, given: Sequence[bytes]) -> dict[str, Any]:
    question = json.dumps([str(path), [passphrase.hex() for passphrase in given]])
    command = [sys.executable, "-P", "-c", f"from {__name__} import main; main()"]
    environment = {**clean_environment(os.environ), "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    try:
        done = subprocess.run(command, input=question, capture_output=True, text=True, check=False, env=environment, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        raise KeyFileError(f"the key can't be read within {TIMEOUT_S:.0f} s", where=str(path), expected="a file") from error
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError as error:
        raise KeyFileError("the key can't be checked", where=str(path), found=(done.stderr.strip().splitlines() or ["no answer"])[-1]) from error
    return answer


def _error(answer: dict[str, Any]) -> KeyFileError:
    error = decode_failure(answer["failed"])
    return error if isinstance(error, KeyFileError) else KeyFileError(str(error))


def main() -> None:
    """The other process's side: a path and passphrases on standard input, the public key and which one opened it on standard output."""
    path, given = json.loads(sys.stdin.read())
    say_json(_opened(Path(path), [None, *map(bytes.fromhex, given)]))


def _opened(path: Path, passphrases: Sequence[bytes | None]) -> dict[str, Any]:
    failure: SealiftError | None = None
    for number, passphrase in enumerate(passphrases):
        try:
            public = PrivateKey.load(path, passphrase).public_key.pem().decode()
        except KeyFileError as error:
            failure = error
            if not _is_encrypted(path):
                break
        else:
            return {"public": public, "passphrase": number - 1 if number else None}
    assert failure is not None
    return {"failed": encode_failure(failure), "locked": _is_encrypted(path)}


def _is_encrypted(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return _ENCRYPTED in file.read(1000)
    except OSError:
        return False
