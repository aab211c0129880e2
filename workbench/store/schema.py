"""The store's layout as numbered steps; those that a store lacks are taken in one transaction."""

from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from workbench.model.errors import StoreError, StoreTooNew
from workbench.store.database import ANEW, Connection, transaction

Step = tuple[str, str]
"""Name and SQL."""


def steps() -> tuple[Step, ...]:
    """The files `schema/NNNN_name.sql` in order; NNNN runs from 0001 without gaps."""
    files = sorted(
        (file for file in resources.files(__package__).joinpath("schema").iterdir()),
        key=lambda file: file.name,
    )
    return tuple(
        (file.name.removesuffix(".sql"), file.read_text("utf-8"))
        for file in files
        if file.name.endswith(".sql")
    )


def upgrade(cursor: Connection, path: Path, known: Sequence[Step], *, read_only: bool) -> None:
    """Bring the store to the newest step, or refuse it untouched.

    Raises StoreTooNew for a store with more steps than `known`, and StoreError for a database that
    is not ours or that is too old to be opened for reading only.
    """
    found = _found(cursor, path)
    if found > len(known):
        raise StoreTooNew(
            f"{path}: written by a newer workbench (step {found}, this one knows {len(known)}); "
            "upgrade, or ingest the captures into a new workspace"
        )
    if read_only and found < len(known):
        raise StoreError(f"{path}: written by an older workbench; open it once for writing")
    if found == len(known):
        return
    with transaction(cursor):  # each commit costs some 5 ms, and a new store lacks them all
        cursor.execute(_STEPS_TABLE)
        for number, (name, sql) in enumerate(known[found:], found + 1):
            cursor.execute(sql)
            cursor.execute("INSERT INTO schema_steps VALUES (?, ?)", (number, name))


def _found(cursor: Connection, path: Path) -> int:
    tables = {name for (name,) in cursor.execute(_TABLES).fetchall()}
    if "schema_steps" in tables:
        [(found,)] = cursor.execute("SELECT coalesce(max(number), 0) FROM schema_steps").fetchall()
        return int(found)
    if tables:
        raise StoreError(f"{path}: a database, but not a flow store; {ANEW}")
    return 0


_TABLES = "SELECT table_name FROM duckdb_tables() WHERE NOT internal"
_STEPS_TABLE = """
    CREATE TABLE IF NOT EXISTS schema_steps (number INTEGER PRIMARY KEY, name VARCHAR NOT NULL)
"""
