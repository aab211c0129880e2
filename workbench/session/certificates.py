"""Exported folders read back and judged against the present draft, one certificate each."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.documents import digest
from workbench.model.errors import Cancelled, InputError, WorkbenchError
from workbench.model.report import Certificate, Digest
from workbench.model.traffic import Stop, Tell
from workbench.session.exports import MANIFEST, read_export

if TYPE_CHECKING:
    from workbench.session.session import Session


def certificates(
    session: "Session", others: Iterable[Path], kernel: bool, progress: Tell, cancelled: Stop
) -> tuple[Certificate, ...]:
    """Of the folders in the workspace, by name, then of `others`. Raises InputError, Cancelled."""
    return tuple(
        _certificate(session, name, folder, kernel, progress, cancelled)
        for name, folder in _folders(session, others)
    )


def _folders(session: "Session", others: Iterable[Path]) -> Iterator[tuple[str, Path]]:
    """What to call a folder, and where it is."""
    seen = set()
    for target in session.exports.targets():
        folder = session.exports.default_folder(target)
        if (folder / MANIFEST).exists():
            seen.add(folder.resolve())
            yield f"{folder.parent.name}/{folder.name}", folder
    for folder in others:
        if not (folder / MANIFEST).exists():
            raise InputError(f"{folder}: no {MANIFEST}: not a folder that the workbench wrote")
        if folder.resolve() not in seen:
            seen.add(folder.resolve())
            yield str(folder), folder


def _certificate(
    session: "Session", name: str, folder: Path, kernel: bool, progress: Tell, cancelled: Stop
) -> Certificate:
    try:
        found = read_export(folder)
        files = tuple(Digest(one, digest(text)) for one, text in sorted(found.files.items()))
    except WorkbenchError as error:
        return Certificate(name, (), (), (), None, str(error))
    try:
        verification, edited = session.exports.verify(
            folder, kernel=kernel, progress=progress, cancelled=cancelled
        )
    except Cancelled:
        raise
    except WorkbenchError as error:
        return Certificate(name, files, found.only, found.edited, None, str(error))
    return Certificate(name, files, found.only, edited, verification)
