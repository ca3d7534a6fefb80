"""The tables of state.sqlite, and the one way to open it.

A table that came later is made where it is missing, and the version stays: an older agent knows nothing of it, and can still be gone back to.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sealift_core import durable
from sealift_core.errors import DiskFullError, StoreError

VERSION: Final = 1
BUSY_TIMEOUT_MS: Final = 10_000
_TABLES: Final = """
CREATE TABLE deployments (
    name TEXT NOT NULL,
    slot TEXT NOT NULL CHECK (slot IN ('current', 'previous')),
    version TEXT NOT NULL,
    digest TEXT NOT NULL,
    profile TEXT NOT NULL,
    release TEXT NOT NULL,
    release_size INTEGER NOT NULL,
    PRIMARY KEY (name, slot)
) STRICT;
CREATE TABLE updates (name TEXT PRIMARY KEY, document TEXT NOT NULL) STRICT;
CREATE TABLE refusals (
    release TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    reason TEXT NOT NULL
) STRICT;
CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE events (
    number INTEGER PRIMARY KEY,
    time TEXT NOT NULL,
    kind TEXT NOT NULL,
    model TEXT NOT NULL,
    version TEXT NOT NULL,
    detail TEXT NOT NULL,
    hash TEXT NOT NULL
) STRICT;
"""
#: What is known of a refusal beside its reason; of those that an older agent made, what the ledger says.
_LATER: Final = """
CREATE TABLE refusal_facts (release TEXT PRIMARY KEY, since TEXT NOT NULL, machine TEXT NOT NULL) STRICT;
INSERT INTO refusal_facts (release, since, machine)
    SELECT release, max(time), '' FROM refusals JOIN events ON model = name AND events.version = refusals.version
    WHERE kind IN ('rejected', 'rolled-back') GROUP BY release;
"""


def connect(path: Path) -> sqlite3.Connection:
    """Open the database, made if it isn't there; durable at every commit. Usable from several threads, one at a time."""
    with translate_sqlite_errors(path):
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        _create(connection, path)
    return connection


def _create(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("BEGIN IMMEDIATE")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        for statement in filter(str.strip, _TABLES.split(";")):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")
    if version in (0, VERSION) and not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'refusal_facts'").fetchone():
        for statement in filter(str.strip, _LATER.split(";")):
            connection.execute(statement)
    connection.execute("COMMIT")
    if version not in (0, VERSION):
        connection.close()
        advice = "Use the version of Sealift that wrote it, or a newer one."
        raise StoreError(
            "the database was written by another version of Sealift", where=str(path), expected=str(VERSION), found=str(version), advice=advice
        )


@contextlib.contextmanager
def translate_sqlite_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors about ``path`` into `DiskFullError` or `StoreError`."""
    try:
        yield
    except sqlite3.Error as error:
        if durable.database_lacks_room(error, path):
            raise DiskFullError("the disk is full", where=str(path), advice="Free some space; the last complete change is kept.") from error
        raise StoreError(f"the database can't be used, caused by: {error}", where=str(path), advice=_advice(error, path)) from error


def _advice(error: sqlite3.Error, path: Path) -> str | None:
    if getattr(error, "sqlite_errorname", None) not in ("SQLITE_NOTADB", "SQLITE_CORRUPT"):
        return None
    return f"The database is damaged. Move {path.name}* away, and run sealift-agent sync to install the channel's models again."
