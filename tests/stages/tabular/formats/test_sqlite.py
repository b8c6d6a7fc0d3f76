"""SQLite: the only table, or what a query returns; nothing is ever written."""

import sqlite3

import pytest

from engine.stage import StageError

ROWS = [(1, 2.5, "red", None), (2, 1e-7, "blue", b"\xff"), (3, 7.0, "größer", True)]


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "source.db"
    with sqlite3.connect(path) as opened:
        opened.execute('create table "my readings" (a, b, c, d)')
        opened.executemany('insert into "my readings" values (?, ?, ?, ?)', ROWS)
    opened.close()
    return path


def _with_second(database):
    with sqlite3.connect(database) as opened:
        opened.execute("create table other (x)")
    opened.close()
    return database.read_bytes()


def test_the_only_table_needs_no_query(read, database):
    found = read({"x.db": database.read_bytes()})
    assert found.table.names == ["a", "b", "c", "d"]
    assert found.rows == [
        ("1", "2.5", "red", ""),
        ("2", "1e-07", "blue", "\N{REPLACEMENT CHARACTER}"),
        ("3", "7.0", "größer", "1"),
    ]
    assert found.table.place(2) == "x.db, row 3"


def test_several_tables_need_a_query(read, database):
    content = _with_second(database)
    with pytest.raises(StageError) as error:
        read({"x.db": content}, only="x.db")
    assert "x.db has 2 tables (my readings, other): choose one with params.query=" in str(
        error.value
    )
    found = read(
        {"x.db": content},
        query="WITH r AS (SELECT a, c FROM [my readings]) SELECT * FROM r WHERE a < 3",
    )
    assert found.table.names == ["a", "c"] and found.table.rows == 2


@pytest.mark.parametrize(
    "query",
    [
        "DROP TABLE [my readings]",
        "INSERT INTO [my readings] VALUES (1, 2, 3, 4)",
        "ATTACH 'other.db' AS other",
        "PRAGMA user_version = 3",
        "SELECT 1; SELECT 2",
        "SELEC",
        "SELECT x FROM [my readings]",
        "",
    ],
)
def test_any_other_query_is_refused(read, database, query):
    content = database.read_bytes()
    with pytest.raises(
        StageError, match=r"params\.query fails in x\.db: .*write one SELECT statement"
    ):
        read({"x.db": content}, query=query or "--")
    assert database.read_bytes() == content


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "x.db is empty"),
        (b"hello", "x.db is damaged, or of another kind"),
        (b"SQLite format 3\0" + b"x" * 900, "cannot be read as a SQLite database"),
    ],
)
def test_a_damaged_database_is_refused(read, content, why):
    with pytest.raises(StageError, match=why):
        read({"x.db": content}, only="x.db")


def test_a_database_without_a_table_is_refused(read, tmp_path):
    with sqlite3.connect(tmp_path / "empty.db") as opened:
        opened.execute("create table t (a)")
        opened.execute("drop table t")
    opened.close()
    with pytest.raises(StageError, match="has no table: choose another file"):
        read({"x.db": (tmp_path / "empty.db").read_bytes()}, only="x.db")
