"""The database driver: the extension that the `duckdb` package is made around.

That package passes everything used here on as it is, and loads a query builder beside it: 60 ms of
every start, of which the store has no use.
"""

try:
    import _duckdb as duckdb
except ImportError:  # another release of the package may keep it elsewhere
    import duckdb  # type: ignore[no-redef]

__all__ = ["duckdb"]
