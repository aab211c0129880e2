"""How far an intruder gets from here, and what the draft changes about it."""

from collections.abc import Iterable

from textual.widget import Widget

from workbench.model.exposure import ScenarioExposure
from workbench.tui.screens.base import WorkScreen
from workbench.tui.widgets.pagedtable import Column, PagedTable, Row

_COLUMNS = (
    Column("scenario", 10, flex=1),
    Column("score", 6, right=True),
    Column("one hop", 8, right=True),
    Column("any hops", 8, right=True),
)


class ExposureScreen(WorkScreen):
    """One line a scenario."""

    TAB = "exposure"

    def body(self) -> Iterable[Widget]:
        yield PagedTable(_COLUMNS, empty="Working it out …", id="table")

    def load(self) -> None:
        exposure = self.opened.exposure

        def question() -> tuple[ScenarioExposure, ...]:
            return tuple(exposure.whole(one) for one in exposure.scenarios)

        self.ask("exposure", question, self._show)

    def _show(self, found: tuple[ScenarioExposure, ...]) -> None:
        self.query_one(PagedTable).show_rows([
            Row(one.scenario, (one.scenario.value, f"{one.score:.1f}",
                               f"{one.direct_pairs:,}", f"{one.pairs:,}"))
            for one in found
        ])  # fmt: skip
