"""Labelling and naming hosts."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from workbench.model.errors import InventoryError
from workbench.model.net import format_address, is_v4
from workbench.model.policy import Segment
from workbench.model.site import LABEL_KEY, HostFacts
from workbench.model.text import and_more, plural
from workbench.tui.screens.form import Field, Form, Parts, Values

if TYPE_CHECKING:
    from workbench.session import Session


def parse_labels(text: str) -> dict[str, str | None]:
    """`role=web env=prod -zone`: set two, take one away. Raises InventoryError."""
    found: dict[str, str | None] = {}
    for word in text.split():
        key, equals, value = word.partition("=")
        if word.startswith("-") and not equals:
            key, value = word[1:], ""
        elif not equals or not value:
            raise InventoryError(f"write {word!r} as key=value, or -{key} to take a label away")
        if not LABEL_KEY.fullmatch(key):
            raise InventoryError(f"{key!r} is not a label key: lower case, such as role or zone")
        found[key] = value or None
    return found


class LabelForm(Form):
    """One line: key=value, several at once, `-key` removes."""

    TITLE_TEXT = "Label hosts"

    def __init__(self, hosts: Sequence[HostFacts]) -> None:
        super().__init__()
        self._hosts = tuple(hosts)

    def fields(self) -> Iterable[Field]:
        hint = "role=web env=prod   (-env takes a label away)"
        yield Field("labels", "labels", hint=hint, completer=self._complete)

    def _complete(self, text: str, cursor: int) -> tuple[int, Sequence[str]]:
        start = text.rfind(" ", 0, cursor) + 1
        typed = text[start:cursor]
        pairs = Counter(
            pair for host in self.opened.inventory.hosts for pair in host.labels
        ) + Counter(pair for net in self.opened.inventory.networks for pair in net.labels)
        keys = sorted({key for key, _ in pairs} | {"role", "env", "app", "zone"})
        words = [f"{key}=" for key in keys] if "=" not in typed else []
        words += [f"{key}={value}" for (key, value), _ in pairs.most_common()]
        return start, [word for word in words if word.startswith(typed) and word != typed]

    def preview(self, session: "Session", values: Values) -> Parts:  # noqa: ARG002
        labels = parse_labels(values["labels"])
        known = list(dict.fromkeys(host.name for host in self._hosts))
        count = plural(len(self._hosts), "address")
        told = [(f"{count}: {and_more(known, 6)}\n", "dim")]
        for key, value in labels.items():
            now = Counter(dict(host.labels).get(key, "nothing") for host in self._hosts)
            was = ", ".join(f"{old} ({count})" for old, count in now.most_common(4))
            told += [(f"  {key}: ", "strong"), (f"{value or 'taken away'}", "accent"),
                     (f"   was {was}\n", "dim")]  # fmt: skip
        return told

    def change(self, session: "Session", values: Values) -> None:
        labels = parse_labels(values["labels"])
        if labels:
            session.draft.label_hosts([host.address for host in self._hosts], labels)


class RenameForm(Form):
    """One host, one name."""

    TITLE_TEXT = "Name this host"

    def __init__(self, host: HostFacts) -> None:
        super().__init__()
        self._host = host

    def fields(self) -> Iterable[Field]:
        address = format_address(self._host.address)
        yield Field("name", "name", "" if self._host.name == address else self._host.name, "db-1")

    def preview(self, session: "Session", values: Values) -> Parts:
        name = values["name"]
        if not name:
            raise InventoryError("a host needs a name")
        taken = [host for host in session.inventory.hosts if host.name == name]
        parts = [(f"{format_address(self._host.address)} becomes {name}", "dim")]
        if taken and self._host.address not in taken[0].addresses:
            parts.append((f"\nthere is a {name} already: this address joins it", "warn"))
        return parts

    def change(self, session: "Session", values: Values) -> None:
        session.draft.rename_host(self._host.address, values["name"])


def segment_of(hosts: Sequence[HostFacts]) -> Segment:
    """A segment for these hosts: by the labels they share, by address where they share none."""
    shared = set(hosts[0].labels).intersection(*(host.labels for host in hosts[1:]))
    if shared:
        match = tuple((key, (value,)) for key, value in sorted(shared))
        name = "-".join(value for _, (value,) in match[:2])
        return Segment(_slug(name), match)
    cidrs = tuple(
        f"{format_address(host.address)}/{32 if is_v4(host.address) else 128}" for host in hosts
    )
    return Segment(_slug(hosts[0].name), cidrs=cidrs)


def _slug(text: str) -> str:
    found = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return found[:63] if found[:1].isalpha() else f"s-{found}"[:63]
