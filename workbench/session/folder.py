"""The workspace folder and what is where in it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from workbench.model.errors import InputError

STORE = "flows.duckdb"
POLICY = "policy.yaml"
INVENTORY = "inventory.yaml"
FINDINGS = "findings.yaml"
SCANS = "vulnerabilities.json"
EXPORTS = "exports"


def own_files(folder: Path) -> frozenset[Path]:
    """Where a workspace keeps what it is made of: the place of nothing else, there or not."""
    names = (STORE, POLICY, INVENTORY, FINDINGS, SCANS)
    return frozenset(folder / f"{name}{old}" for name in names for old in ("", "~"))


def real(path: Path) -> Path:
    """`Path.resolve`, which raises for a link that leads to itself."""
    return Path(os.path.realpath(path))


def is_workspace(folder: Path) -> bool:
    """Whether something of a workspace is in it."""
    return any((folder / name).is_file() for name in (STORE, POLICY, INVENTORY))


def workspace_folder(folder: Path) -> Path:
    """The folder, made if missing, as an absolute path. Raises InputError."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: a workspace is a folder, this is a file")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot make the workspace: {error.strerror}") from error
    return folder.resolve()


@contextmanager
def made_workspace(folder: Path) -> Iterator[Path]:
    """`workspace_folder`; what was made of it is gone again in the end if nothing came into it."""
    absent = [one for one in (folder, *folder.parents) if not one.exists()]
    try:
        yield workspace_folder(folder)
    finally:
        with suppress(OSError):  # something is in it
            for one in absent:
                one.rmdir()
