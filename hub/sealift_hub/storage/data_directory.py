"""A hub's data directory: its database, and beside it the key that signs its receipts.

The key is never in the database: a copy of the database alone, which backups and support cases carry about, signs nothing. The database knows the
key's fingerprint, so a key that was lost is missed, and not replaced by one that no device knows.
"""

from __future__ import annotations

import contextlib
import logging
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sqlalchemy.orm import Session

from sealift_core.errors import KeyFileError
from sealift_core.signing.keys import PrivateKey
from sealift_hub.errors import DatabaseError, HubKeyError
from sealift_hub.storage.database import FILE_NAME, Database
from sealift_hub.storage.models import Setting

KEY_NAME: Final = "hub-key.pem"
_FINGERPRINT: Final = "hub-key"
_log = logging.getLogger("sealift.hub")


def require_hub(directory: Path) -> None:
    """Raise `DatabaseError` if there is no hub in a directory: only ``serve`` and ``init`` make one."""
    if not (directory / FILE_NAME).is_file():
        raise DatabaseError(
            "there is no hub in this data directory",
            where=str(directory),
            expected=f"a file {FILE_NAME}",
            advice="Pass the directory of your hub with --data, or make a new hub with sealift-hub init.",
        )


@contextlib.contextmanager
def opened(directory: Path, *, create: bool = False) -> Iterator[Database]:
    """The database of a hub for the length of a block; `DatabaseError` if there is no hub and it isn't to be created."""
    if not create:
        require_hub(directory)
    with contextlib.closing(Database.in_directory(directory)) as database:
        yield database


def hub_key(directory: Path, database: Database, *, replace: bool = False) -> PrivateKey:
    """The hub's key; made when a hub first needs it, and with ``replace`` anew.

    1. A key that is there is the hub's if it is the one that the database knows; a hub of before knows none.
    2. A key that the database knows and that isn't there was lost, and another one wouldn't be known to any device.

    Hubs that start at once make one key: the database's write lock is held meanwhile. Raises `HubKeyError`, `KeyFileError`, or `StoreError` if it
    can't be written.
    """
    path = directory / KEY_NAME
    with database.writing() as session:
        known = session.get(Setting, _FINGERPRINT)
        if replace or (known is None and not path.exists()):
            PrivateKey.generate().save(path)
            _remember(session, key := _load(path))
            _log.info("made the hub's key %s", key.public_key.fingerprint)
            return key
        if not path.exists():  # 2
            raise HubKeyError("the hub's key is missing", where=str(path), expected=f"the key {known.value if known else ''}", advice=_LOST)
        key = _load(path)
        if known is not None and known.value != key.public_key.fingerprint:  # 1
            raise HubKeyError("another key than the hub's", where=str(path), expected=known.value, found=key.public_key.fingerprint, advice=_LOST)
        _remember(session, key)
        return key


_LOST: Final = (
    "Restore the file from a backup. If it is lost for good, make a new key with sealift-hub init --new-key, and pass its fingerprint to "
    "sealift-agent init --hub-key on each device: until then devices refuse the hub's receipts, and keep their reports."
)


def _load(path: Path) -> PrivateKey:
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        advice = f"Run chmod 600 {path}. If somebody may have read it, make a new one with sealift-hub init --new-key."
        raise KeyFileError("other users can read the hub's key", where=str(path), advice=advice)
    return PrivateKey.load(path)


def _remember(session: Session, key: PrivateKey) -> None:
    session.merge(Setting(key=_FINGERPRINT, value=key.public_key.fingerprint))
