"""findings.yaml to settings and back."""

import json
import re
from collections.abc import Collection
from dataclasses import fields, replace
from typing import Any

from workbench.documents import Node, parse_yaml, render, unique, unprintable, updated
from workbench.model.errors import DocumentError
from workbench.model.finding import FindingSettings, Suppression, Thresholds

VERSION = 1
_SECTIONS = ("workbench", "thresholds", "suppressions")
_ID = re.compile(r"[0-9a-f]{8}", re.ASCII)
_PLAIN = Thresholds()


def load_settings(text: str, file: str = "findings.yaml") -> FindingSettings:
    """Read the settings. Raises DocumentError with file, line and path for the first problem."""
    return _read(parse_yaml(text, file, DocumentError))


def dump_settings(settings: FindingSettings) -> str:
    """The canonical text: `load_settings` reads back an equal value."""
    return render(_data(settings))


def update_settings(old_text: str, settings: FindingSettings) -> str:
    """`old_text` made to say `settings`: comments and layout stay where nothing changed."""
    text = updated(old_text, settings, _read, _data, DocumentError)
    return dump_settings(settings) if text is None else text


def suppress(
    settings: FindingSettings, entry: Suppression, known_by: Collection[str] = ()
) -> FindingSettings:
    """With this suppression, in the place of older ones, by these ids too. Raises DocumentError."""
    if not _ID.fullmatch(entry.id):
        raise DocumentError(f"{entry.id[:40]!r} is not the id of a finding (8 hexadecimal digits)")
    if not entry.reason.strip() or (problem := unprintable(entry.reason)):
        raise DocumentError(f"the reason {problem if entry.reason.strip() else 'is missing'}")
    gone = {entry.id, *known_by}
    others = tuple(one for one in settings.suppressions if one.id not in gone)
    return replace(settings, suppressions=(*others, entry))


def lift(
    settings: FindingSettings, finding_id: str, known_by: Collection[str] = ()
) -> FindingSettings:
    """Without the suppression of a finding, by these ids too. Raises DocumentError for none."""
    gone = {finding_id, *known_by}
    kept = tuple(one for one in settings.suppressions if one.id not in gone)
    if kept == settings.suppressions:
        raise DocumentError(f"finding {finding_id[:40]} is not suppressed")
    return replace(settings, suppressions=kept)


def set_threshold(settings: FindingSettings, name: str, text: str) -> FindingSettings:
    """With a threshold as typed (words apart by commas or spaces); empty: as it is unless told.

    Raises DocumentError.
    """
    like = getattr(_PLAIN, name, None)
    if like is None:
        raise DocumentError(f"there is no threshold {name[:40]!r}")
    words: Any = text.replace(",", " ").split()
    if not words:
        return replace(settings, thresholds=replace(settings.thresholds, **{name: like}))
    value = words if isinstance(like, tuple) else text.strip()
    written = json.dumps({"workbench": VERSION, "thresholds": {name: value}})
    told = load_settings(written).thresholds
    return replace(settings, thresholds=replace(settings.thresholds, **{name: getattr(told, name)}))


def _data(settings: FindingSettings) -> dict[str, Any]:
    changed = {
        field.name: _number_data(getattr(settings.thresholds, field.name))
        for field in fields(Thresholds)
        if getattr(settings.thresholds, field.name) != getattr(_PLAIN, field.name)
    }
    data = {
        "workbench": VERSION,
        "thresholds": changed,
        "suppressions": [
            {"id": one.id, "reason": one.reason} | ({"until": one.until} if one.until else {})
            for one in settings.suppressions
        ],
    }
    return {key: value for key, value in data.items() if value}


def _number_data(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else str(value) if value % 1 else int(value)


def _read(root: Node) -> FindingSettings:
    found = root.fields(_SECTIONS, required=("workbench",))
    if found["workbench"].text() != str(VERSION):
        raise found["workbench"].wrong(f"this workbench reads version {VERSION}")
    thresholds = _thresholds(found["thresholds"]) if "thresholds" in found else _PLAIN
    entries = found["suppressions"].items() if "suppressions" in found else ()
    settings = FindingSettings(thresholds, tuple(map(_suppression, entries)))
    for problem in unique("suppressions", (one.id for one in settings.suppressions)):
        raise root.at("suppressions").wrong(problem.text)
    return settings


def _thresholds(node: Node) -> Thresholds:
    known = {field.name: getattr(_PLAIN, field.name) for field in fields(Thresholds)}
    found = node.fields(tuple(known))
    return replace(_PLAIN, **{name: _value(entry, known[name]) for name, entry in found.items()})


def _value(node: Node, like: Any) -> Any:
    """A number above 0, whole where the plain one is; or a list of words."""
    if isinstance(like, tuple):
        return node.values()
    text = node.text()
    whole = isinstance(like, int)
    if not re.fullmatch(r"\d{1,12}" if whole else r"\d{1,9}(\.\d{1,9})?", text, re.ASCII):
        raise node.wrong(f"{text[:40]!r} is not a {'whole ' if whole else ''}number")
    value = int(text) if whole else float(text)
    if not value:
        raise node.wrong("must be above 0")
    return value


def _suppression(node: Node) -> Suppression:
    found = node.fields(("id", "reason", "until"), required=("id", "reason"))
    name, reason = found["id"].text(), found["reason"].text()
    if not _ID.fullmatch(name):
        raise found["id"].wrong(f"{name[:40]!r} is not the id of a finding")
    if not reason.strip():
        raise found["reason"].wrong("is empty")
    return Suppression(name, reason, found["until"].date() if "until" in found else None)
