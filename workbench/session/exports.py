"""Exported folders: the files, and a manifest that says what they claim."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from workbench.documents import write_atomic
from workbench.model.errors import InputError
from workbench.model.rendered import Rendered

MANIFEST = "workbench-export.json"
LARGEST = 256 << 20
"""Bytes; a larger file in an export folder is not ours."""
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
    try:
        manifest = json.loads(_read(folder / MANIFEST))
        target, names = str(manifest["target"]), dict(manifest["files"])
        only = tuple(map(str, manifest.get("only", ())))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{folder / MANIFEST}: not a manifest the workbench wrote") from error
    if bad := [name for name in names if not _PLAIN.fullmatch(name)]:
        raise InputError(f"{folder / MANIFEST}: {bad[0]!r} is not a plain file name")
    files = {name: _read(folder / name) for name in names}
    edited = tuple(name for name, text in files.items() if _hash(text) != names[name])
    return Exported(folder, target, only, files, edited)


def _read(path: Path) -> str:
    if not path.is_file():
        raise InputError(f"{path}: not found; is this a folder that `workbench export` wrote?")
    if path.stat().st_size > LARGEST:
        raise InputError(f"{path}: larger than any export ({LARGEST >> 20} MiB)")
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as text") from error
