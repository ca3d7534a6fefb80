from __future__ import annotations

import datetime
import sqlite3
import subprocess
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from sealift_hub.errors import DatabaseError
from sealift_hub.storage.database import FILE_NAME, Database
from sealift_hub.storage.models import Base, StoredDevice, UtcTime
from support.hub import COMMAND
from support.simulated import NOON


def device(number: int) -> StoredDevice:
    return StoredDevice(id=f"{number:064x}", public_key="", enrolled=NOON, number=0, host={})


def test_the_migrations_make_the_tables_of_the_models(tmp_path: Path) -> None:
    Database.in_directory(tmp_path).close()
    engine = create_engine(f"sqlite:///{tmp_path / FILE_NAME}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), Base.metadata) == []
    engine.dispose()


def test_a_database_is_opened_again_as_it_was_left(tmp_path: Path) -> None:
    first = Database.in_directory(tmp_path)
    with first.writing() as session:
        session.add(device(1))
    first.close()
    second = Database.in_directory(tmp_path)
    with second.reading() as session:
        kept = session.get_one(StoredDevice, device(1).id)
        assert kept.enrolled == NOON
    second.close()


def test_a_database_of_a_newer_hub_is_left_alone(tmp_path: Path) -> None:
    Database.in_directory(tmp_path).close()
    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(DatabaseError, match="newer sealift-hub"):
        Database.in_directory(tmp_path)


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"this is no database at all" * 100)
    with pytest.raises(DatabaseError, match="file is not a database"):
        Database.in_directory(tmp_path)


def test_a_place_that_is_no_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DatabaseError, match="can't be created"):
        Database.in_directory(tmp_path / "file" / "data")


@pytest.mark.parametrize("name", ["a?b", "a#b", "100%25", "a;b"])
def test_the_database_lies_in_the_directory_whatever_its_name_holds(tmp_path: Path, name: str) -> None:
    Database.in_directory(tmp_path / name).close()
    assert (tmp_path / name / FILE_NAME).is_file()
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_moment_of_another_time_zone_is_read_as_utc() -> None:
    """As PostgreSQL gives it where its session has another time zone than UTC."""
    local = NOON.astimezone(datetime.timezone(datetime.timedelta(hours=2)))
    for dialect, value in ((postgresql.dialect(), local), (sqlite.dialect(), NOON.replace(tzinfo=None))):  # type: ignore[no-untyped-call]
        read = UtcTime().process_result_value(value, dialect)
        assert (read, read and read.utcoffset()) == (NOON, datetime.timedelta())


def test_what_fails_halfway_leaves_nothing(tmp_path: Path) -> None:
    database = Database.in_directory(tmp_path)
    with pytest.raises(ZeroDivisionError), database.writing() as session:
        session.add(device(1))
        session.flush()
        _ = 1 // 0
    with database.reading() as session:
        assert session.get(StoredDevice, device(1).id) is None
    database.close()


def test_several_hubs_may_start_at_once(tmp_path: Path) -> None:
    words = [COMMAND, "init", "--data", str(tmp_path)]
    hubs = [subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    assert [(hub.communicate(timeout=60)[1], hub.returncode) for hub in hubs] == [("", 0)] * 4


@pytest.mark.parametrize("table", Base.metadata.sorted_tables, ids=lambda table: table.name)
def test_postgresql_can_have_every_table(table: object) -> None:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    described = Base.metadata.tables[str(getattr(table, "name", ""))]
    assert "TIMESTAMP WITH TIME ZONE" in str(CreateTable(described).compile(dialect=dialect)) or described.name in ("device_models", "settings")
    for index in described.indexes:
        assert str(CreateIndex(index).compile(dialect=dialect))
