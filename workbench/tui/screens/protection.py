"""Which segments are protected, and named services."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from workbench.model.errors import PolicyError
from workbench.model.net import ANY_PROTOCOL, parse_service
from workbench.model.policy import BOTH_SIDES, Protection, ServiceGroup, Side
from workbench.model.text import plural
from workbench.tui.screens.form import Field, Form, Parts, Values, listed

if TYPE_CHECKING:
    from workbench.session import Session

_STEPS = (None, BOTH_SIDES, frozenset({Side.INGRESS}), frozenset({Side.EGRESS}))
"""not → both → incoming → outgoing → not."""


def next_protection(session: "Session", segment: str) -> None:
    """One step further round."""
    now = {one.segment: one.directions for one in session.policy.protect}.get(segment)
    wanted = _STEPS[(_STEPS.index(now) + 1) % len(_STEPS)]
    if wanted is None:
        session.draft.remove_protection(segment)
    else:
        session.draft.put_protection(Protection(segment, wanted))


class ServicesForm(Form):
    """A name for several services."""

    TITLE_TEXT = "Service"

    def __init__(self, group: ServiceGroup, replaces: str | None) -> None:
        super().__init__()
        self._group = group
        self._replaces = replaces

    def fields(self) -> Iterable[Field]:
        yield Field("name", "name", self._group.name, "active-directory")
        services = " ".join(self._group.services)
        yield Field("services", "services", services, "tcp/88 udp/88 tcp/389 tcp/49152-65535")

    def _read(self, values: Values) -> ServiceGroup:
        return ServiceGroup(values["name"], listed(values["services"]))

    def preview(self, session: "Session", values: Values) -> Parts:
        table = session.table
        try:
            ranges = [parse_service(text) for text in listed(values["services"])]
        except ValueError as error:
            raise PolicyError(str(error)) from error
        seen = np.zeros(len(table), np.bool_)
        for one in ranges:
            inside = (table["port"] >= one.first) & (table["port"] <= one.last)
            seen |= inside & ((table["protocol"] == one.protocol) | (one.protocol == ANY_PROTOCOL))
        return [(f"recorded: {plural(int(seen.sum()), 'conversation')}", "dim")]

    def change(self, session: "Session", values: Values) -> None:
        session.draft.put_services(self._read(values), replaces=self._replaces)
