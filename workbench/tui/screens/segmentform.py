"""A segment: by labels, by addresses, or both, and who is in it."""

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from workbench.model.errors import PolicyError
from workbench.model.policy import Policy, Segment
from workbench.model.site import LABEL_KEY
from workbench.model.text import and_more, plural
from workbench.tui.screens.form import Field, Form, Parts, Values, always, listed
from workbench.tui.widgets.completing import words_of

if TYPE_CHECKING:
    from workbench.session import Session


def match_text(segment: Segment) -> str:
    """`role=web|app env=prod`."""
    return " ".join(f"{key}={'|'.join(values)}" for key, values in segment.match)


def parse_match(text: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The other way round. Raises PolicyError."""
    found = []
    for word in text.split():
        key, equals, rest = word.partition("=")
        values = tuple(value for value in rest.split("|") if value)
        if not equals or not values or not LABEL_KEY.fullmatch(key):
            raise PolicyError(f"write {word!r} as key=value, or key=one|other")
        found.append((key, values))
    return tuple(found)


class SegmentForm(Form):
    """Add or edit a segment."""

    TITLE_TEXT = "Segment"

    def __init__(self, segment: Segment, replaces: str | None) -> None:
        super().__init__()
        self._segment = segment
        self._replaces = replaces

    def fields(self) -> Iterable[Field]:
        segment, inventory = self._segment, self.opened.inventory
        pairs = {pair for host in inventory.hosts for pair in host.labels}
        words = sorted(f"{key}={value}" for key, value in pairs)
        yield Field("name", "name", segment.name, "web-prod")
        yield Field(
            "match", "labels", match_text(segment), "role=web env=prod|test",
            words_of(always(words), " "),
        )  # fmt: skip
        yield Field("cidrs", "addresses", " ".join(segment.cidrs), "10.9.0.0/24 fd00:9::/64")
        yield Field("excepts", "except", " ".join(segment.excepts), "10.9.0.7/32")

    def _read(self, values: Values) -> Segment:
        return Segment(
            values["name"],
            parse_match(values["match"]),
            listed(values["cidrs"]),
            listed(values["excepts"]),
        )

    def preview(self, session: "Session", values: Values) -> Parts:
        segment = self._read(values)
        wanted = with_segment(session.policy, segment)
        resolved = session.resolve(wanted)
        inside = resolved.segment(segment.name)
        members = [at for at in session.table.hosts.addresses if at in inside]
        known = list(dict.fromkeys(map(session.inventory.name, members)))
        parts = [(f"{plural(len(members), 'known address')}: ", "strong"),
                 (f"{and_more(known, 8)}\n", "")]  # fmt: skip
        if inside.size > len(members):
            cidrs = ", ".join(inside.cidrs()[:4])
            parts.append(
                (f"all addresses: {cidrs}{' …' if len(inside.cidrs()) > 4 else ''}", "dim")
            )
        if not members:
            parts.append(("no host is in it", "warn"))
        return parts

    def change(self, session: "Session", values: Values) -> None:
        session.draft.put_segment(self._read(values), replaces=self._replaces)


def with_segment(policy: Policy, segment: Segment) -> Policy:
    """The policy with one segment more, or another one in its place.

    For looking only: a renamed segment is kept under its old name too, where rules expect it.
    """
    kept = tuple(one for one in policy.segments if one.name != segment.name)
    return replace(policy, segments=(*kept, segment))
