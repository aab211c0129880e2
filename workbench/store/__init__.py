"""The flow store: the only import of duckdb, and all SQL."""

from workbench.store.judging import Judge
from workbench.store.store import Store
from workbench.store.views import SORTS, FlowQuery, FlowView, keys_of

__all__ = ["SORTS", "FlowQuery", "FlowView", "Judge", "Store", "keys_of"]
