"""Exported folders: the files, and a manifest that says what they claim."""

import hashlib
import json
import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from workbench.documents import read_text, write_atomic
from workbench.model.errors import InputError
from workbench.model.rendered import Rendered

MANIFEST = "workbench-export.json"
OBJECTS = (".yaml", ".yml", ".json")
"""What `kubectl apply` reads in a folder."""
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
    strangers: tuple[str, ...] = ()
    """Other files there that a firewall or a cluster would take, when the folder is applied."""


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
    before = _named_before(folder)
    paths = []
    for name, text in texts.items():
        if name == MANIFEST:
            _put_aside(folder, before - set(texts))
        paths.append(folder / name)
        write_atomic(paths[-1], text)
    return tuple(paths)


def _named_before(folder: Path) -> set[str]:
    """The files of the export that the folder held; none where its manifest cannot be read."""
    try:
        return set(_manifest(folder / MANIFEST, _read(folder / MANIFEST))[2])
    except InputError:
        return set()


def _put_aside(folder: Path, names: set[str]) -> None:
    """What only an older export wrote gets a `~`: applied once more it would allow what it did."""
    for path in (folder / name for name in sorted(names)):
        try:
            if path.exists():
                path.replace(path.with_name(path.name + "~"))
        except OSError as error:
            raise InputError(f"{path}: cannot put it aside: {error.strerror}") from error


def read_export(folder: Path) -> Exported:
    """Read an export folder back. Raises InputError with one line for anything odd."""
    path = folder / MANIFEST
    target, only, hashes = _manifest(path, _read(path))
    files = {name: _read(folder / name) for name in hashes}
    edited = tuple(name for name, text in files.items() if _hash(text) != hashes[name])
    return Exported(folder, target, only, files, edited, tuple(_strangers(folder, files)))


def _strangers(folder: Path, ours: Container[str]) -> Iterator[str]:
    """By name: rulesets, and what looks like objects of a cluster (or cannot be looked at)."""
    for path in sorted(folder.iterdir()):
        if path.name in ours or path.is_dir() or path.suffix not in (".nft", *OBJECTS):
            continue
        if path.suffix == ".nft" or _holds_objects(path):
            yield path.name


def _holds_objects(path: Path) -> bool:
    try:
        text = read_text(path)
    except InputError:
        return True
    return "apiVersion" in text and "kind" in text


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
