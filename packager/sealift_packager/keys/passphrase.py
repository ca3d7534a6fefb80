"""Private keys that may be encrypted: which passphrases are tried, and who is asked.

One convention for every command: ``--passphrase-file`` (its first line; several files where keys differ), then ``SEALIFT_KEY_PASSPHRASE``, then a
prompt where there is a terminal. Never an argument, which every user of the machine can read.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, MutableMapping, Sequence
from pathlib import Path
from typing import Final

from sealift_core.errors import KeyFileError, PassphraseError
from sealift_core.signing.keys import PrivateKey
from sealift_packager.keys.key_file import KeyFile

VARIABLE: Final = "SEALIFT_KEY_PASSPHRASE"
OPTION: Final = "--passphrase-file"
MAX_FILE_BYTES: Final = 64 * 1024
_ADVICE: Final = f"Pass {OPTION}, set {VARIABLE}, or run the command in a terminal."


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Passphrases:
    """What encrypted keys are opened with: each of ``given`` is tried, then ``ask`` (if there is somebody) is called with the key's path.

    ``new`` gives the passphrase of a new key where none was given; None for no encryption.
    """

    given: tuple[bytes, ...] = ()
    ask: Callable[[Path], bytes] | None = None
    new: Callable[[], bytes | None] | None = None

    @classmethod
    def collect(cls, files: Sequence[Path] = (), environment: MutableMapping[str, str] = os.environ) -> Passphrases:
        """From files, and from the environment: taken out of it, so that no process that is started from here on inherits it."""
        variable = environment.pop(VARIABLE, None)
        given = (*map(read_passphrase, files), *([variable.encode("utf-8", "surrogateescape")] if variable else []))
        # An empty variable says: a new key is to have none, and nobody is to be asked.
        return cls(given=given, new=(lambda: None) if variable == "" else None)

    def for_new_key(self) -> bytes | None:
        """The passphrase of a key that is being made; None if it is to have none."""
        if self.given:
            return self.given[0]
        return self.new() if self.new else None

    def open(self, path: Path) -> tuple[PrivateKey, bytes | None]:
        """Read a private key; the key, and the passphrase that opened it. `PassphraseError` if none does."""
        try:
            return PrivateKey.load(path), None
        except PassphraseError as error:
            failure = error
        for passphrase in self.given:
            try:
                return PrivateKey.load(path, passphrase), passphrase
            except PassphraseError as error:
                failure = error
        if self.ask is None:
            raise PassphraseError(failure.message, where=str(path), advice=_ADVICE) from failure
        answer = self.ask(path)
        return PrivateKey.load(path, answer), answer

    def check(self, path: Path) -> KeyFile:
        """A private key that can be used, and that is read when it signs: until then no process that reads models holds it."""
        ask = self.ask
        try:
            return KeyFile.check(path, self.given, ask=(lambda _: ask(path)) if ask else None)
        except PassphraseError as error:
            raise PassphraseError(error.message, where=str(path), advice=error.advice if ask else _ADVICE) from error

    def load(self, path: Path) -> PrivateKey:
        """Read a private key."""
        return self.open(path)[0]


def read_passphrase(file: Path) -> bytes:
    """The first line of a file; `KeyFileError` if it can't be read or is empty."""
    try:
        with file.open("rb") as source:
            lines = source.read(MAX_FILE_BYTES).splitlines()
    except OSError as error:
        raise KeyFileError(f"the passphrase file can't be read ({error.strerror})", where=str(file)) from error
    if not lines or not lines[0]:
        raise KeyFileError("no passphrase", where=str(file), expected="a first line with the passphrase", found="an empty one")
    return lines[0]
