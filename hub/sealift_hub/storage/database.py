"""Opens the database, brings its schema up to date, and hands out sessions.

A writing session takes SQLite's write lock when it begins, so two posts about one device can't both read the same head
of its chain; on PostgreSQL the row lock of ``SELECT … FOR UPDATE`` does that.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import alembic.command
import alembic.util
from alembic.config import Config
from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from sealift_hub.errors import DatabaseError

FILE_NAME: Final = "hub.sqlite"
BUSY_TIMEOUT_S: Final = 15


class Database:
    """The hub's database; safe to use from several threads, and from several processes."""

    def __init__(self, url: str | URL) -> None:
        """Open what the SQLAlchemy ``url`` names and migrate it; `DatabaseError` if that can't be."""
        self._where = str(url)
        self._engine = create_engine(url)
        if self._engine.dialect.name == "sqlite":
            _prepare_sqlite(self._engine)
        self._writing = self._engine.execution_options(sealift_writing=True)
        with self._translated(), self._writing.begin() as connection:
            _migrate(connection)

    @classmethod
    def in_directory(cls, directory: Path) -> Database:
        """The SQLite database of a data directory, made if it isn't there."""
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DatabaseError(
                f"the data directory can't be created ({error.strerror})",
                where=str(directory),
                advice="Pass a directory that you can write to with --data.",
            ) from error
        return cls(URL.create("sqlite", database=str(directory / FILE_NAME)))  # a path may hold what separates the parts of an address

    @contextlib.contextmanager
    def reading(self) -> Iterator[Session]:
        """A session on one unchanging view of the data."""
        with self._translated(), Session(self._engine) as session:
            yield session

    @contextlib.contextmanager
    def writing(self) -> Iterator[Session]:
        """A session that is committed when the block ends, and rolled back if it raises."""
        with self._translated(), Session(self._writing, expire_on_commit=False) as session, session.begin():
            yield session

    def close(self) -> None:
        """Give all connections back."""
        self._engine.dispose()

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            reason = str(getattr(error, "orig", None) or error)
            advice = "Free some disk space. The reports that were accepted are kept." if "disk is full" in reason else None
            raise DatabaseError(f"the database failed, caused by: {reason}", where=self._where, advice=advice) from error


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _connect(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None  # transactions begin as we say, below
        for pragma in (f"busy_timeout = {BUSY_TIMEOUT_S * 1000}", "synchronous = FULL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}")
        _use_write_ahead_log(connection)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writing = connection.get_execution_options().get("sealift_writing")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Switch to WAL; SQLite's busy timeout doesn't cover the switch, so hubs that start at once are made to wait here."""
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def migration_config(connection: Connection) -> Config:
    """Alembic's configuration: the steps that are in this package, on an open connection."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _migrate(connection: Connection) -> None:
    try:
        alembic.command.upgrade(migration_config(connection), "head")
    except alembic.util.CommandError as error:
        raise DatabaseError(
            "the database has a schema that this hub doesn't know",
            where=str(connection.engine.url.database),
            advice="A newer sealift-hub wrote it. Start that version, or pass another --data directory.",
        ) from error
