"""`b` on Findings: what the traffic is compared with."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.model.errors import InputError
from workbench.model.filters import parse_time
from workbench.model.packets import printable
from workbench.model.traffic import format_time
from workbench.tui.lines import clock
from workbench.tui.screens.findingbase import Baseline
from workbench.tui.screens.form import Field, Form, Parts, Values

if TYPE_CHECKING:
    from workbench.session import Session


def read_baseline(session: "Session", values: Values) -> Baseline:
    """Both lines empty: nothing. Raises InputError."""
    moment, against = values["moment"], values["against"]
    if moment and against:
        raise InputError("compare with a time or with captures, not with both")
    if not moment:
        session.findings.check_against(against)
        return Baseline(None, against)
    try:
        found = parse_time(moment)
    except ValueError:
        raise InputError(f"{moment!r} is not a time such as 2026-03-31T12:00") from None
    first, last = _recorded(session)
    if not first < found <= last:
        raise InputError(f"nothing was recorded {'before' if found <= first else 'after'} it")
    return Baseline(found)


def _recorded(session: "Session") -> tuple[int, int]:
    spans = session.findings.recorded()
    return (spans[0][0], spans[-1][1]) if spans else (0, 0)


class BaselineForm(Form):
    """A moment, or captures; both empty for no comparison."""

    TITLE_TEXT = "Compare with what is normal"

    def __init__(self, now: Baseline, chosen: Callable[[Baseline], None]) -> None:
        super().__init__()
        self._now = now
        self._chosen = chosen

    def fields(self) -> Iterable[Field]:
        moment = "" if self._now.moment is None else format_time(self._now.moment)[:16]
        first, last = _recorded(self.opened)
        middle = format_time((first + last) // 2)[:13] + ":00"
        yield Field("moment", "before", moment, f"a time, UTC, such as {middle}")
        yield Field("against", "captures", self._now.against, "or captures: monday*, or a number",
                    self._captures)  # fmt: skip

    def _captures(self, text: str, cursor: int) -> tuple[int, Sequence[str]]:
        typed = text[:cursor]
        names = sorted({Path(one.path).name for one in self.opened.captures()})
        return 0, [name for name in names if name.startswith(typed) and name != typed]

    def preview(self, session: "Session", values: Values) -> Parts:
        wanted = read_baseline(session, values)
        first, last = _recorded(session)
        if wanted.moment is not None:
            told = [
                ("normal  ", "dim"), (f"{clock(first)} – {clock(wanted.moment)}\n", ""),
                ("looked at  ", "dim"), (f"{clock(wanted.moment)} – {clock(last)}\n", ""),
            ]  # fmt: skip
        elif wanted.against:
            told = [
                ("normal  ", "dim"), (f"{printable(wanted.against)}\n", ""),
                ("looked at  ", "dim"), ("every other capture\n", ""),
            ]  # fmt: skip
        else:
            return [
                ("nothing: what one part of the recording shows is judged by the rest of it\n", ""),
                (f"recorded {clock(first)} – {clock(last)} UTC", "dim"),
            ]
        return [*told, ("new peers, new services and what vanished are found as well", "dim")]

    def change(self, session: "Session", values: Values) -> str:
        self._now = read_baseline(session, values)
        return ""

    def accepted(self) -> None:
        super().accepted()
        self._chosen(self._now)
