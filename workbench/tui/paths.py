"""Paths of files, completed as they are typed."""

import os
from collections.abc import Sequence
from pathlib import Path


def complete_path(text: str, cursor: int) -> tuple[int, Sequence[str]]:
    """Names in the folder typed so far: folders, and files that may be captures."""
    head, _, tail = text[:cursor].rpartition("/")
    folder = Path(head or ("/" if text.startswith("/") else ".")).expanduser()
    try:
        with os.scandir(folder) as found:
            entries = [(entry.name, entry.is_dir()) for _, entry in zip(range(5000), found)]  # noqa: B905
    except OSError:
        return cursor, ()
    names = sorted(
        f"{name}/" if is_folder else name
        for name, is_folder in entries
        if name.startswith(tail)
        and (tail.startswith(".") or not name.startswith("."))
        and (is_folder or ".pcap" in name or ".cap" in name)
    )
    return cursor - len(tail), names
