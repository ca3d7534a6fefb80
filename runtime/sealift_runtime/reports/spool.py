"""The spool: what a device has to tell and the hub hasn't acknowledged, in one SQLite database.

What is durable, and when:

0. `ReportSpool.take` takes the windows of the data plane, each once: it remembers the newest number of each stream.
1. `ReportSpool.add` takes windows and events and, while there is room, seals them into the next reports: one transaction,
   so a number is never used twice and never left out, whatever happens in between.
2. While as many reports as `SpoolLimits` allows wait for their receipt, nothing is sealed: windows wait and are merged by their age
   (`merging`), events wait in the ledger that they come from. Nothing is dropped. A caller that seals again and again asks for the same while
   any report waits: so a hub that is away for long finds one heartbeat, and windows whose resolution goes by their age.
3. `ReportSpool.acknowledge` lets reports go once the hub has confirmed them: an acknowledged report stays until a receipt for a later one comes, or
   until so many are kept as `SpoolLimits` allows. A hub that was set back to a copy of its database from between the two gets them again.

Several threads and processes may use one spool; each call has a connection of its own.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from sealift_core.bundle.digest import Digest
from sealift_core.clock import Clock
from sealift_core.durable import database_lacks_room, translate_disk_errors
from sealift_core.errors import DiskFullError, ReportError, StoreError
from sealift_core.messages.receipt import Receipt
from sealift_core.messages.report import MAX_REPORT_BYTES, Event, InstalledModel, Report, Window, seal_report
from sealift_core.schema.documents import Document
from sealift_core.signing.keys import Signer
from sealift_runtime.reports.merging import merge_by_age
from sealift_runtime.reports.numbered import NumberedWindow

VERSION: Final = 1
_SCHEMA: Final = """
CREATE TABLE chain (only INTEGER PRIMARY KEY CHECK (only = 1), number INTEGER NOT NULL, digest TEXT NOT NULL,
                    acknowledged INTEGER NOT NULL, last_event INTEGER NOT NULL) STRICT;
INSERT INTO chain VALUES (1, 0, '', 0, 0);
CREATE TABLE report (number INTEGER PRIMARY KEY, envelope BLOB NOT NULL) STRICT;
CREATE TABLE unsealed_window (place INTEGER PRIMARY KEY, window TEXT NOT NULL) STRICT;
"""
#: Of no account to an agent of before, which may have to open this database again: so the version stays.
_ADDED: Final = """
CREATE TABLE IF NOT EXISTS taken (place INTEGER PRIMARY KEY, stream TEXT NOT NULL UNIQUE, number INTEGER NOT NULL) STRICT;
"""
_TAKE: Final = "INSERT INTO taken (stream, number) VALUES (?, ?) ON CONFLICT (stream) DO UPDATE SET number = excluded.number"
#: A stream begins with each start of the data plane or each swap; only the newest can still give windows.
MAX_STREAMS: Final = 10_000
_BUSY_TIMEOUT_S: Final = 10.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SpoolLimits:
    """How much may wait for its receipt, how much one report may hold, and how much is kept that has one."""

    reports: int = 1_000
    size_bytes: int = 256 * 2**20
    report_bytes: int = MAX_REPORT_BYTES // 4
    events_per_report: int = 1_000
    kept_reports: int = 1_000
    kept_bytes: int = 64 * 2**20


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """Where the chain stands: the newest report's number and digest, what is acknowledged, the newest event in a report."""

    number: int
    digest: str
    acknowledged: int
    last_event: int


class ReportSpool:
    """One device's reports; ``signer`` is the device's key."""

    def __init__(self, path: Path, signer: Signer, clock: Clock, limits: SpoolLimits | None = None) -> None:
        self.path = path
        self.public_key = signer.public_key
        self.device = signer.public_key.fingerprint
        self._signer = signer
        self._clock = clock
        self._limits = limits or SpoolLimits()
        self._aged = -1
        with translate_disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        self._prepare()

    def take(self, windows: Sequence[NumberedWindow]) -> dict[str, int]:
        """Keep windows to be sealed, each once, however often it is given; the newest number of each stream that is kept."""
        if not windows:
            return {}
        newest: dict[str, int] = {}
        with self._transaction() as database:
            for numbered in sorted(windows, key=lambda window: window.number):
                taken = database.execute("SELECT number FROM taken WHERE stream = ?", (numbered.stream,)).fetchone()
                if taken is None or taken[0] < numbered.number:
                    database.execute("INSERT INTO unsealed_window (window) VALUES (?)", (json.dumps(numbered.window.json()),))
                    database.execute(_TAKE, (numbered.stream, numbered.number))
                newest[numbered.stream] = numbered.number
            database.execute("DELETE FROM taken WHERE place <= (SELECT max(place) FROM taken) - ?", (MAX_STREAMS,))
        return newest

    def add(
        self,
        host: Mapping[str, str],
        models: Sequence[InstalledModel],
        windows: Sequence[Window],
        events: Sequence[Event],
        *,
        wait: bool = False,
    ) -> int | None:
        """Take what there is to tell; the number of the newest report that was sealed, None if the spool is full.

        With ``wait`` it counts as full while any report waits for its receipt. Events that are in a report already (up to `last_event`) are
        passed over, so a caller may give the whole ledger. When the spool is full windows are kept, merged; events aren't, so give them again:
        `last_event` stays.
        """
        with self._transaction() as database:
            full = self._is_full(database) or (wait and self._waits(database))
            newest = database.execute("SELECT coalesce(max(place), 0) FROM unsealed_window").fetchone()[0]
            if full and not windows and newest == self._aged:
                return None
            waiting = [*_unsealed(database), *windows]
            last_event = _chain(database).last_event
            new = sorted((event for event in events if event.number > last_event), key=lambda event: event.number)
            sealed = None
            while not full and (sealed is None or waiting or new):
                taken, waiting = self._split(waiting)
                reported, new = new[: self._limits.events_per_report], new[self._limits.events_per_report :]
                sealed = self._seal(database, host, models, taken, reported)
                full = self._is_full(database)
            self._aged = _keep_unsealed(database, merge_by_age(waiting, self._clock.now()))
        return sealed

    def _waits(self, database: sqlite3.Connection) -> bool:
        return database.execute("SELECT 1 FROM report WHERE number > ? LIMIT 1", (_chain(database).acknowledged,)).fetchone() is not None

    def _seal(
        self,
        database: sqlite3.Connection,
        host: Mapping[str, str],
        models: Sequence[InstalledModel],
        windows: Sequence[Window],
        events: Sequence[Event],
    ) -> int:
        """Make the next report of the chain; its number."""
        chain = _chain(database)
        report = Report(
            device=self.device,
            number=chain.number + 1,
            previous=Digest.parse(chain.digest) if chain.digest else None,
            created=self._clock.now(),
            host=dict(host),
            models=tuple(models),
            windows=tuple(windows),
            events=tuple(events),
        )
        envelope = seal_report(report, self._signer)
        last_event = events[-1].number if events else chain.last_event
        database.execute("INSERT INTO report VALUES (?, ?)", (report.number, envelope))
        database.execute("UPDATE chain SET number = ?, digest = ?, last_event = ?", (report.number, str(Digest.of(envelope)), last_event))
        return report.number

    def _split(self, windows: list[Window]) -> tuple[list[Window], list[Window]]:
        """As many windows as one report holds, at least one, and the rest."""
        size = 0
        for place, window in enumerate(windows):
            size += len(json.dumps(window.json(), indent=2)) * 2  # what a report's own indentation adds, generously
            if size > self._limits.report_bytes and place:
                return windows[:place], windows[place:]
        return windows, []

    def _is_full(self, database: sqlite3.Connection) -> bool:
        waiting = "SELECT count(*), coalesce(sum(length(envelope)), 0) FROM report WHERE number > ?"
        count, size = database.execute(waiting, (_chain(database).acknowledged,)).fetchone()
        return bool(count >= self._limits.reports or size >= self._limits.size_bytes)

    def pending(self) -> list[tuple[int, bytes]]:
        """Every report without a receipt, oldest first: number and envelope."""
        with self._transaction() as database:
            acknowledged = _chain(database).acknowledged
            return database.execute("SELECT number, envelope FROM report WHERE number > ? ORDER BY number", (acknowledged,)).fetchall()

    def next_report(self, after: int) -> tuple[int, bytes] | None:
        """The oldest report whose number is above ``after``, whether it waits for its receipt or is kept: number and envelope."""
        with self._transaction() as database:
            row = database.execute("SELECT number, envelope FROM report WHERE number > ? ORDER BY number LIMIT 1", (after,)).fetchone()
        return (row[0], row[1]) if row else None

    def acknowledge(self, receipt: Receipt) -> None:
        """Take over how far the hub has the reports, and let go what this confirms; an older receipt changes nothing.

        1. What an earlier receipt acknowledged is confirmed by one for a later report, and goes.
        2. Of what this one acknowledges for the first time, as much is kept as `SpoolLimits` allows, the newest.

        Raises `ReportError` for another device's receipt, or one for reports that were never made. Whoever calls has checked its signature.
        """
        if receipt.device != self.device:
            raise ReportError("the receipt is for another device", expected=self.device, found=receipt.device)
        with self._transaction() as database:
            chain = _chain(database)
            newest, before = chain.number, chain.acknowledged
            if receipt.acknowledged > newest:
                raise ReportError(
                    "the receipt acknowledges reports that this device never made",
                    where=str(self.path),
                    expected=f"at most {newest}",
                    found=str(receipt.acknowledged),
                    advice="This device's home was restored from a copy, its spool was lost, or two devices use its key. If it is the only one, run "
                    f"sealift-hub resume {self.device[:12]} at the hub. Otherwise give one of them a new key.",
                )
            if receipt.acknowledged > before:
                database.execute("DELETE FROM report WHERE number <= ?", (before,))  # 1
                database.execute("UPDATE chain SET acknowledged = ?", (receipt.acknowledged,))
                self._bound_kept(database, receipt.acknowledged)  # 2

    def _bound_kept(self, database: sqlite3.Connection, acknowledged: int) -> None:
        count, size = 0, 0
        kept = database.execute("SELECT number, length(envelope) FROM report WHERE number <= ? ORDER BY number DESC", (acknowledged,)).fetchall()
        for number, length in kept:
            count, size = count + 1, size + length
            if count > self._limits.kept_reports or size > self._limits.kept_bytes:
                database.execute("DELETE FROM report WHERE number <= ?", (number,))
                return

    @property
    def chain(self) -> Chain:
        """Where the chain stands."""
        with self._transaction() as database:
            return _chain(database)

    @property
    def full(self) -> bool:
        """Whether so many reports wait for their receipt that no more is sealed."""
        with self._transaction() as database:
            return self._is_full(database)

    @property
    def last_event(self) -> int:
        """The number of the newest event that is in a report; 0 if none is."""
        return self.chain.last_event

    def _prepare(self) -> None:
        with self._connection() as database:
            database.execute("PRAGMA journal_mode = WAL")
        with self._transaction() as database:
            version = database.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                for statement in _SCHEMA.strip().split(";\n"):
                    database.execute(statement.rstrip(";"))
                database.execute(f"PRAGMA user_version = {VERSION}")
            elif version != VERSION:
                raise StoreError(
                    "the spool was written by another version of the agent",
                    where=str(self.path),
                    expected=str(VERSION),
                    found=str(version),
                    advice="Update this agent.",
                )
            database.execute(_ADDED)

    @contextlib.contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """A connection; sqlite's errors become `DiskFullError` or `StoreError`."""
        try:
            with contextlib.closing(sqlite3.connect(self.path, timeout=_BUSY_TIMEOUT_S, isolation_level=None)) as database:
                database.execute("PRAGMA synchronous = FULL")
                yield database
        except sqlite3.Error as error:
            if database_lacks_room(error, self.path):
                raise DiskFullError("the disk is full", where=str(self.path), advice="Free some space; nothing was lost.") from error
            raise StoreError(f"the spool can't be used, caused by: {error}", where=str(self.path)) from error

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """A write transaction that commits at the end, or rolls back on any error."""
        with self._connection() as database:
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
            except BaseException:
                if database.in_transaction:  # a full disk has ended it already
                    database.execute("ROLLBACK")
                raise
            database.execute("COMMIT")


def _chain(database: sqlite3.Connection) -> Chain:
    number, digest, acknowledged, last_event = database.execute("SELECT number, digest, acknowledged, last_event FROM chain").fetchone()
    return Chain(number=number, digest=digest, acknowledged=acknowledged, last_event=last_event)


def _unsealed(database: sqlite3.Connection) -> list[Window]:
    rows = database.execute("SELECT window FROM unsealed_window ORDER BY place").fetchall()
    return [Window.parse(Document(json.loads(row[0]), "unsealed_window")) for row in rows]


def _keep_unsealed(database: sqlite3.Connection, windows: Sequence[Window]) -> int:
    """Keep windows in place of those that waited; the place of the last one."""
    database.execute("DELETE FROM unsealed_window")
    database.executemany("INSERT INTO unsealed_window (window) VALUES (?)", [(json.dumps(window.json()),) for window in windows])
    return int(database.execute("SELECT coalesce(max(place), 0) FROM unsealed_window").fetchone()[0])
