"""Exported folders: the files, and a manifest that says what they claim."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from workbench.documents import read_text, write_atomic
from workbench.model.errors import InputError
from workbench.model.rendered import Rendered

MANIFEST = "workbench-export.json"
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class Exported:
    """An export folder read back."""

    folder: Path
    target: str
    only: tuple[str, ...]
    """Protected segments it was restricted to; empty for all."""
    files: Mapping[str, str]
    edited: tuple[str, ...]
    """Files whose content is not what the workbench wrote."""


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def write_export(rendered: Rendered, folder: Path, only: tuple[str, ...]) -> tuple[Path, ...]:
    """Write the files, then the manifest; each atomically, the previous version kept beside it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot make the folder: {error.strerror}") from error
    manifest = {
        "workbench": 1,
        "target": rendered.target,
        "only": list(only),
        "files": {name: _hash(text) for name, text in sorted(rendered.files.items())},
        "notes": list(rendered.notes),
    }
    texts = {**rendered.files, MANIFEST: json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"}
    paths = []
    for name, text in texts.items():
        paths.append(folder / name)
        write_atomic(paths[-1], text)
    return tuple(paths)


def read_export(folder: Path) -> Exported:
    """Read an export folder back. Raises InputError with one line for anything odd."""
    path = folder / MANIFEST
    target, only, hashes = _manifest(path, _read(path))
    files = {name: _read(folder / name) for name in hashes}
    edited = tuple(name for name, text in files.items() if _hash(text) != hashes[name])
    return Exported(folder, target, only, files, edited)


def _manifest(path: Path, text: str) -> tuple[str, tuple[str, ...], dict[str, str]]:
    """Target, restriction, and file name → hash of what was written."""
    try:
        found = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not a manifest the workbench wrote") from error
    match found:
        case {"workbench": 1, "target": str(target), "only": list(only), "files": dict(hashes)}:
            texts = [*only, *hashes, *hashes.values()]
        case _:
            raise InputError(f"{path}: not a manifest the workbench wrote")
    if not all(isinstance(one, str) for one in texts):
        raise InputError(f"{path}: not a manifest the workbench wrote")
    if bad := [name for name in hashes if not _PLAIN.fullmatch(name)]:
        raise InputError(f"{path}: {bad[0][:100]!r} is not a plain file name")
    return target, tuple(only), hashes


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """A JSON object that says everything once: of two hashes, which would count?"""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found


def _read(path: Path) -> str:
    if path.is_symlink():
        raise InputError(f"{path}: is a symbolic link; an export has plain files only")
    if not path.exists():
        raise InputError(f"{path}: not found; is this a folder that `workbench export` wrote?")
    return read_text(path)
