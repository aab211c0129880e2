"""The flow store: the only import of duckdb, and all SQL."""

from workbench.store.loading import Loading
from workbench.store.store import Store

__all__ = ["Loading", "Store"]
