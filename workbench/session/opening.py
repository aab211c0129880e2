"""Opening the store: shared where that does, for writing where something must be brought up."""

import time
from pathlib import Path

from workbench.model.errors import StoreBusy, StoreError
from workbench.store import Judge, Store

PATIENCE = 1.5
"""Seconds for which who wants to share waits: `ingest --follow` has the store for moments."""
_TICK = 0.1


def open_store(path: Path, judge: Judge, *, sharing: bool) -> Store:
    """Sharing, if nothing has to be brought up to date that only a writer can. Raises StoreBusy."""
    until = time.monotonic() + (PATIENCE if sharing else 0)
    while True:
        try:
            return _open(path, judge, sharing=sharing)
        except StoreBusy:
            if time.monotonic() >= until:
                raise
        time.sleep(_TICK)


def _open(path: Path, judge: Judge, *, sharing: bool) -> Store:
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
