"""state.sqlite: deployments, updates, refusals, settings, and the ledger of events.

Each public method that writes is one transaction, durable when it returns; `transaction` makes several one. Any
process may read at any time; only the holder of the home's lock writes.
"""

from __future__ import annotations

import contextlib
import datetime
import sqlite3
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sealift_core.bundle.digest import Digest
from sealift_core.clock import format_time, parse_time
from sealift_core.messages.report import Event
from sealift_runtime.update import ledger, schema
from sealift_runtime.update.encoding import update_from_json, update_to_json
from sealift_runtime.update.records import Deployment, InstalledBundle, RefusedRelease, Update
from sealift_runtime.update.table import TABLE, State, check_transition

MAX_DETAIL_CHARACTERS = 2000


class StateDatabase:
    """The database at ``path``; bundle directories are in ``bundles`` beside it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = schema.connect(path)
        weakref.finalize(self, self._connection.close)  # whoever forgets `close` leaves no open file
        self._lock = threading.RLock()
        self._depth = 0

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is written in the block becomes durable together at its end, or nothing does."""
        with self._lock, schema.translate_sqlite_errors(self._path):
            outermost = self._depth == 0
            if outermost:
                self._connection.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
                if outermost:
                    self._connection.execute("COMMIT")
            except BaseException:
                if outermost and self._connection.in_transaction:  # a full disk has ended it already
                    self._connection.execute("ROLLBACK")
                raise
            finally:
                self._depth -= 1

    def _rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._lock, schema.translate_sqlite_errors(self._path):
            return self._connection.execute(sql, values).fetchall()

    def _write(self, sql: str, *values: Any) -> None:
        with self.transaction():
            self._connection.execute(sql, values)

    # Deployments

    def deployments(self) -> list[Deployment]:
        """Every model that is or was installed, by name."""
        rows = self._rows("SELECT name, slot, version, digest, profile, release, release_size FROM deployments ORDER BY name, slot")
        slots = {(row[0], row[1]): self._bundle(row) for row in rows}
        names = sorted({name for name, _ in slots})
        return [Deployment(name=name, current=slots.get((name, "current")), previous=slots.get((name, "previous"))) for name in names]

    def deployment(self, name: str) -> Deployment | None:
        """One model, or None."""
        return next((deployment for deployment in self.deployments() if deployment.name == name), None)

    def set_deployment(self, name: str, current: InstalledBundle | None, previous: InstalledBundle | None) -> None:
        """Say at once what a model's current and previous bundles are; both None forgets it."""
        with self.transaction():
            self._write("DELETE FROM deployments WHERE name = ?", name)
            for slot, bundle in (("current", current), ("previous", previous)):
                if bundle:
                    values = (name, slot, bundle.version, str(bundle.digest), bundle.profile, str(bundle.release), bundle.release_size)
                    self._write("INSERT INTO deployments VALUES (?, ?, ?, ?, ?, ?, ?)", *values)

    def _bundle(self, row: tuple[Any, ...]) -> InstalledBundle:
        name, _, version, digest, profile, release, release_size = row
        return self.installed(
            name=name, version=version, digest=Digest.parse(digest), profile=profile, release=Digest.parse(release), release_size=release_size
        )

    def installed(self, *, name: str, version: str, digest: Digest, profile: str, release: Digest, release_size: int) -> InstalledBundle:
        """A bundle as this home installs it."""
        directory = self._path.parent / "bundles" / digest.hex
        return InstalledBundle(
            name=name, version=version, digest=digest, profile=profile, release=release, release_size=release_size, directory=directory
        )

    # Updates

    def updates(self) -> list[Update]:
        """The latest update of each model, by name."""
        return [update_from_json(row[0]) for row in self._rows("SELECT document FROM updates ORDER BY name")]

    def update(self, name: str) -> Update | None:
        """The latest update of one model, or None."""
        rows = self._rows("SELECT document FROM updates WHERE name = ?", name)
        return update_from_json(rows[0][0]) if rows else None

    def put(self, update: Update) -> None:
        """Start an update in place of the model's last one, or change something of it that isn't its state."""
        self._write("INSERT OR REPLACE INTO updates (name, document) VALUES (?, ?)", update.name, update_to_json(update))

    def enter(self, update: Update) -> None:
        """Persist an update in its next state; `UpdateError` if the table has no such transition from the stored one."""
        with self.transaction():
            stored = self.update(update.name)
            check_transition(stored.state if stored else State.CHECKING, update.state)
            self.put(update)

    def drop_update(self, name: str) -> None:
        """Forget a model's update."""
        self._write("DELETE FROM updates WHERE name = ?", name)

    def unfinished(self) -> list[Update]:
        """The updates that aren't at rest."""
        return [update for update in self.updates() if not TABLE[update.state].rest]

    # Refusals

    def refusals(self) -> list[RefusedRelease]:
        """The releases that aren't tried again, by name and version."""
        rows = self._rows(
            "SELECT release, name, version, reason, since, machine FROM refusals LEFT JOIN refusal_facts USING (release) ORDER BY name, version"
        )
        return [
            RefusedRelease(
                release=Digest.parse(release),
                name=name,
                version=version,
                reason=reason,
                since=parse_time(since) if since else None,
                machine=machine or "",
            )
            for release, name, version, reason, since, machine in rows
        ]

    def refuse(self, refusal: RefusedRelease) -> None:
        """Don't try a release again."""
        release, since = str(refusal.release), format_time(refusal.since) if refusal.since else ""
        with self.transaction():
            values = (release, refusal.name, refusal.version, refusal.reason)
            self._write("INSERT OR REPLACE INTO refusals (release, name, version, reason) VALUES (?, ?, ?, ?)", *values)
            self._write("INSERT OR REPLACE INTO refusal_facts (release, since, machine) VALUES (?, ?, ?)", release, since, refusal.machine)

    def forgive(self, name: str, release: Digest | None = None) -> None:
        """Forget a model's refusals, or that of one release."""
        with self.transaction():
            self._write("DELETE FROM refusals WHERE name = ? AND release = coalesce(?, release)", name, str(release) if release else None)
            self._write("DELETE FROM refusal_facts WHERE release NOT IN (SELECT release FROM refusals)")

    # Settings

    def setting(self, key: str) -> str | None:
        """A remembered text, or None."""
        rows = self._rows("SELECT value FROM settings WHERE key = ?", key)
        return str(rows[0][0]) if rows else None

    def set_setting(self, key: str, value: str | None) -> None:
        """Remember a text, or with None forget it."""
        if value is None:
            self._write("DELETE FROM settings WHERE key = ?", key)
        else:
            self._write("INSERT OR REPLACE INTO settings (key, value) VALUES (?, ?)", key, value)

    # Events

    def record(self, kind: str, *, model: str = "", version: str = "", detail: str = "", now: datetime.datetime) -> Event:
        """Append an event to the ledger."""
        with self.transaction():
            last = self._rows("SELECT number, hash FROM events ORDER BY number DESC LIMIT 1")
            number, previous = last[0] if last else (0, ledger.START)
            moment, detail = now.replace(microsecond=0), detail[:MAX_DETAIL_CHARACTERS]
            event = Event(number=number + 1, time=moment, kind=kind, model=model, version=version, detail=detail)
            values = (event.number, format_time(moment), kind, model, version, detail, ledger.chain(event, previous))
            self._write("INSERT INTO events (number, time, kind, model, version, detail, hash) VALUES (?, ?, ?, ?, ?, ?, ?)", *values)
        return event

    def events(self, after: int = 0) -> list[Event]:
        """The events with numbers above ``after``, in order."""
        return [event for event, _ in self._events(after)]

    def verify_ledger(self) -> None:
        """Check the hash chain over all events; `IntegrityError` names the first that doesn't hold."""
        ledger.verify(self._events(0), where=str(self._path))

    def _events(self, after: int) -> list[tuple[Event, str]]:
        rows = self._rows("SELECT number, time, kind, model, version, detail, hash FROM events WHERE number > ? ORDER BY number", after)
        return [(_event(row), row[6]) for row in rows]


def _event(row: sqlite3.Row | tuple[Any, ...]) -> Event:
    return Event(number=row[0], time=parse_time(row[1]), kind=row[2], model=row[3], version=row[4], detail=row[5])
