"""Every error of the core and the runtime. The packager and the hub add their own below `SealiftError`.

The tree:

    SealiftError
    ├── DocumentError            a document is not what its schema says
    │   └── UnsupportedSchemaError   another major version of the schema
    ├── LimitError               something from outside is larger than its bound
    │   └── OversizedError           another side sends more than was signed, or than a file of its kind may have
    ├── IntegrityError           bytes differ from what was signed or listed
    │   └── SignatureError           a signature is missing, false, or by another key
    ├── KeyFileError             a key can't be read, or doesn't fit its use
    │   └── PassphraseError          it is encrypted, and its passphrase is missing or wrong
    ├── TrustError               repository metadata is refused
    │   ├── RollbackRefusedError     older than what was already trusted
    │   └── ExpiredError             too old for the policy
    ├── TransportError           a file can't be fetched
    │   ├── NotFoundError            the other side has no such file
    │   └── ReportsRefusedError      the hub answers, and doesn't take this device's reports
    ├── StoreError               a local file can't be written or read
    │   └── DiskFullError
    ├── HardwareError            no bundle fits this machine
    ├── SandboxError             a process that reads what others made can't be started or confined, or this installation fails in it
    ├── InstallationError        a library that this package needs is missing or can't be loaded
    ├── EngineError              a model does not load or does not run
    │   ├── SelfTestError            a model gives other answers than its golden cases
    │   └── MemoryShortageError      there is too little memory for a model at this moment
    ├── RequestError             an inference request is wrong
    ├── UpdateError              an update can't go on, or there is nothing to go back to
    ├── ReportError              a report breaks its chain, or isn't this device's
    ├── ConfigurationError       the agent's home or options are wrong
    └── BusyError                another process holds what this one needs
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Final

#: Of names that could have been meant, so many are compared, each of at most so many characters: what comes from outside can be anything.
COMPARED_NAMES: Final = 200
COMPARED_CHARACTERS: Final = 100


class SealiftError(Exception):
    """What went wrong, in words for the person who has to mend it.

    Attributes:
        message: What is wrong.
        where: The file or field; None if there is none.
        expected: What should have been there; None if nothing can be said.
        found: What was there; None if nothing can be said.
        advice: What to do next; None if nothing can be said.
    """

    def __init__(
        self,
        message: str,
        *,
        where: str | None = None,
        expected: str | None = None,
        found: str | None = None,
        advice: str | None = None,
    ) -> None:
        """Make an error; ``str()`` puts what is given into one message.

        Args:
            message: What is wrong, without a full stop.
            where: The file or field.
            expected: What should have been there.
            found: What was there.
            advice: What to do next, in sentences.
        """
        super().__init__(message)
        self.message = message
        self.where = where
        self.expected = expected
        self.found = found
        self.advice = advice

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        details = [f"expected {self.expected}"] if self.expected else []
        details += [f"found {self.found}"] if self.found else []
        if details:
            text += ": " + ", ".join(details)
        return f"{text}. {self.advice}" if self.advice else text


class DocumentError(SealiftError):
    """A document is not what its schema says."""


class UnsupportedSchemaError(DocumentError):
    """A document follows another major version of its schema."""


class LimitError(SealiftError):
    """Something from outside is larger than its bound."""


class OversizedError(LimitError):
    """Another side sends more than was signed, or than a file of its kind may have: it isn't the file that it should be."""


class IntegrityError(SealiftError):
    """Bytes differ from what was signed or listed; ``where`` names the file."""


class SignatureError(IntegrityError):
    """A signature is missing, false, or made by another key."""


class KeyFileError(SealiftError):
    """A key can't be read, or doesn't fit its use."""


class PassphraseError(KeyFileError):
    """A private key is encrypted, and its passphrase is missing or wrong."""


class TrustError(SealiftError):
    """Repository metadata is refused."""


class RollbackRefusedError(TrustError):
    """Metadata is older than what was already trusted."""


class ExpiredError(TrustError):
    """Metadata is too old for the policy."""


class TransportError(SealiftError):
    """A file can't be fetched."""


class NotFoundError(TransportError):
    """The other side has no such file."""


class ReportsRefusedError(TransportError):
    """The hub answers, and doesn't take this device's reports: it won't by being asked again."""


class StoreError(SealiftError):
    """A local file can't be written or read."""


class DiskFullError(StoreError):
    """Not enough free space; raised before or while writing, and nothing half-written stays."""


class HardwareError(SealiftError):
    """No bundle of a release fits this machine."""


class SandboxError(SealiftError):
    """A process that is to read what others made can't be started or confined, or fails by a fault of this installation.

    It says nothing of what was to be read.
    """


class InstallationError(SealiftError):
    """A library that this package needs is missing or can't be loaded."""


class EngineError(SealiftError):
    """A model does not load or does not run."""


class SelfTestError(EngineError):
    """A model gives other answers than its golden cases, or none.

    Attributes:
        failure: Which of the ways to fail it was, as whoever runs the self-test names them; empty if nobody says.
    """

    def __init__(self, message: str, *, failure: str = "", **words: str | None) -> None:
        """Make an error.

        Args:
            message: What is wrong, as for `SealiftError`.
            failure: The way in which the self-test failed.
            **words: ``where``, ``expected``, ``found`` and ``advice`` of `SealiftError`.
        """
        super().__init__(message, **words)
        self.failure = failure


class MemoryShortageError(EngineError):
    """There is too little memory for a model at this moment. It says nothing of the model."""


class RequestError(SealiftError):
    """An inference request is wrong; a server answers it with a 4xx status."""


class UpdateError(SealiftError):
    """An update can't go on, or there is nothing to go back to."""


class ReportError(SealiftError):
    """A report breaks its chain, or isn't this device's."""


class ConfigurationError(SealiftError):
    """The agent's home or its options are wrong."""


class BusyError(SealiftError):
    """Another process holds what this one needs."""


def first_few(words: Sequence[str], most: int, *, counted: bool = True) -> str:
    """List words for an error or a note.

    Args:
        words: What to list.
        most: How many of them at most.
        counted: Whether to say how many there are, if these aren't all.

    Returns:
        The first words, with commas, and how many there are in all: "a, b, … (7 in all)".
    """
    more = "" if len(words) <= most else f", … ({len(words):,} in all)" if counted else ", …"
    return ", ".join(words[:most]) + more


def nearest(word: str, words: Sequence[str]) -> str | None:
    """Find the known word that a misspelt one is closest to.

    Args:
        word: What is written.
        words: What could have been meant; the first 200 are compared.

    Returns:
        A sentence of advice, or None if nothing known is close.
    """
    if len(word) > COMPARED_CHARACTERS:
        return None
    comparable = [name for name in words[:COMPARED_NAMES] if len(name) <= COMPARED_CHARACTERS]
    close = difflib.get_close_matches(word, comparable, n=1, cutoff=0.5)
    return f"Did you mean {close[0]!r}?" if close else None
