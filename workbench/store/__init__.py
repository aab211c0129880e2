"""The flow store: the only import of duckdb, and all SQL."""

from workbench.store.judging import Judge
from workbench.store.loading import Loading
from workbench.store.store import Store
from workbench.store.views import SORTS, FlowQuery, FlowTotals, FlowView, keys_of

__all__ = ["SORTS", "FlowQuery", "FlowTotals", "FlowView", "Judge", "Loading", "Store", "keys_of"]
