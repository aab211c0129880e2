"""Opening the store: shared where that does, for writing where something must be brought up."""

from pathlib import Path

from workbench.model.errors import StoreBusy, StoreError
from workbench.store import Judge, Store


def open_store(path: Path, judge: Judge, *, sharing: bool) -> Store:
    """Sharing, if nothing has to be brought up to date that only a writer can."""
    shared = None
    if sharing and path.exists():
        try:
            shared = Store.open(path, read_only=True)
        except StoreBusy:
            raise
        except StoreError:
            pass  # an older layout, or a load that was cut short
    if shared is not None:
        if shared.settled(judge):
            return shared
        shared.close()
    try:
        store = Store.open(path)
    except StoreBusy:
        if shared is None:
            raise
        return Store.open(path, read_only=True)  # judged by the services of before
    store.settle(judge)
    return store
