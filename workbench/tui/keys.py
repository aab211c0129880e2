"""Keys from a file: `"matrix.group" = "g,ctrl+g"` in keys.toml; the `?` screen lists the ids."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path

from workbench.model.errors import InputError


def keys_file() -> Path:
    """`keys.toml` in the user's configuration folder (XDG base directory specification)."""
    base = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(base).expanduser() / "segmentation-workbench" / "keys.toml"


def read_keys(path: Path) -> Mapping[str, str]:
    """Binding id → keys, separated by commas; empty without a file. Raises InputError."""
    if not path.is_file():
        return {}
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: {error}; keys are as they come") from error
    flat = dict(_flat(found))
    if wrong := [name for name, keys in flat.items() if not isinstance(keys, str) or not keys]:
        raise InputError(f'{path}: {wrong[0]}: write its keys as text, such as "g,ctrl+g"')
    return {name: str(keys) for name, keys in flat.items()}


def _flat(table: Mapping[str, object], before: str = "") -> list[tuple[str, object]]:
    """`[matrix] group = "g"` means the same as `"matrix.group" = "g"`."""
    found: list[tuple[str, object]] = []
    for name, value in table.items():
        if isinstance(value, dict):
            found += _flat(value, f"{before}{name}.")
        else:
            found.append((before + name, value))
    return found
