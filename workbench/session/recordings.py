"""How good the recordings are; what one load left in the store, read once."""

from threading import Lock

from workbench.analysis.quality import quality
from workbench.model.quality import Quality
from workbench.model.site import Inventory
from workbench.model.traffic import CaptureReport, ConversationTable
from workbench.store import Store


class Recordings:
    """Facts about the captures of a store, for as long as nothing is loaded."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = Lock()
        self._known: tuple[Inventory, Quality] | None = None

    def quality(
        self, captures: tuple[CaptureReport, ...], table: ConversationTable, inventory: Inventory
    ) -> Quality:
        """Every capture and all together; `table` holds the seen hosts first."""
        with self._lock:
            if self._known is None or self._known[0] is not inventory:
                store = self._store
                shares, together = store.flow_shares(), store.all_flow_shares()
                sides, pairs = store.host_sides(), store.vantages()
                found = quality(captures, shares, together, table, sides, inventory, pairs)
                self._known = inventory, found
            return self._known[1]
