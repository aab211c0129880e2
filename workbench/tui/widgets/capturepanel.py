"""The panel of the Captures screen: one capture, all of them, and what none of them could see."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from textwrap import wrap as broken

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widgets import Static

from workbench.model.facts import (
    NO_BAR,
    Fact,
    activity_of_all,
    bar,
    capture_facts,
    dataset_facts,
    moment,
    sparkline,
)
from workbench.model.packets import printable
from workbench.model.quality import CaptureQuality, NetworkView, Quality, Remark, View, Weight
from workbench.model.text import duration, percent, plural, short_count
from workbench.tui.glyphs import CLASS_STYLES

TABS = ("this capture", "all captures", "unseen is not unused")
_LABEL = 13
_NETWORKS = 200
_APART = 20

Line = tuple[tuple[str, str], ...]
"""Texts and their tones."""


class CapturePanel(Vertical):
    """Takes values; the three pages are picked by `page`."""

    page: reactive[int] = reactive(0)
    quality: reactive[Quality | None] = reactive(None)
    one: reactive[CaptureQuality | None] = reactive(None)
    """The capture under the cursor."""

    def compose(self) -> ComposeResult:
        yield PageLine(id="panel-pages")
        with VerticalScroll(id="capture-detail"):
            yield Static(id="capture-text")

    def watch_page(self) -> None:
        self.query_one(PageLine).page = self.page
        self._draw(home=True)

    def watch_quality(self) -> None:
        self._draw(home=False)

    def watch_one(self) -> None:
        self._draw(home=self.page == 0)

    def on_resize(self) -> None:
        self._draw(home=False)

    def _draw(self, *, home: bool) -> None:
        scroll = self.query_one("#capture-detail", VerticalScroll)
        wide = max(30, scroll.size.width - 2)
        lines: Iterable[Line] = ()
        if self.page == 0 and self.one is not None:
            lines = capture_lines(self.one, wide)
        elif self.page == 1 and self.quality is not None:
            lines = dataset_lines(self.quality, wide)
        elif self.page == 2 and self.quality is not None:
            lines = unseen_lines(self.quality.dataset.view, wide)
        self.query_one("#capture-text", Static).update(content(lines))
        if home:
            scroll.scroll_home(animate=False)

    def on_page_line_picked(self, event: "PageLine.Picked") -> None:
        event.stop()
        self.page = event.page


class PageLine(Static):
    """` this capture │ all captures │ unseen is not unused `."""

    page: reactive[int] = reactive(0)

    class Picked(Message):
        """A click on one of them."""

        def __init__(self, page: int) -> None:
            super().__init__()
            self.page = page

    def render(self) -> Content:
        parts: list[tuple[str, str]] = []
        for at, title in enumerate(TABS):
            parts += [
                (f" {title} ", "bold $primary reverse" if at == self.page else ""),
                ("│", "$foreground 30%"),
            ]
        return Content.assemble(*parts[:-1])

    def on_click(self, event: events.Click) -> None:
        left = 0
        for at, title in enumerate(TABS):
            if left <= event.x < left + len(title) + 2:
                self.post_message(self.Picked(at))
            left += len(title) + 3


def content(lines: Iterable[Line]) -> Content:
    """Lines of toned text as one text."""
    parts = [(text, CLASS_STYLES[tone]) for line in lines for text, tone in (*line, ("\n", ""))]
    return Content.assemble(*parts[:-1])


def capture_lines(one: CaptureQuality, wide: int) -> Iterator[Line]:
    """Activity, what wants care, the figures, what is worth knowing."""
    report = one.report
    yield ((printable(Path(report.path).name), "strong"),)
    if report.first_us is not None and report.recording.activity:
        step = f"packets over time, {duration(report.recording.bucket_us)} a step"
        yield from _timeline(
            report.recording.activity, report.first_us, report.last_us or 0, step, wide
        )
    yield ()
    yield from _judged(one.remarks, capture_facts(one), wide)


def dataset_lines(quality: Quality, wide: int) -> Iterator[Line]:
    """All captures together."""
    time = quality.dataset.time
    if time.first_us is not None and time.last_us is not None:
        activity = activity_of_all([one.report for one in quality.captures], wide)
        yield from _timeline(activity, time.first_us, time.last_us, "packets over time", wide)
        yield ()
    yield from _judged(quality.dataset.remarks, dataset_facts(quality.dataset), wide)


def unseen_lines(view: View, wide: int) -> Iterator[Line]:
    """Networks, pairs of networks, and what silence does not prove."""
    yield from _text(
        "What does not pass a capture point leaves no trace in it. Before a rule is left out "
        "because nothing used it, ask whether its traffic could have been seen at all.",
        wide, "dim",
    )  # fmt: skip
    yield ()
    yield from _remarks(view.remarks, wide)
    if view.networks:
        yield ()
        yield from _networks(view.networks, wide)
    if view.apart:
        yield ()
        yield (("networks that both talk, and were never seen talking with each other", "strong"),)
        for pair in view.apart[:_APART]:
            pairs = short_count(pair.pairs)
            yield from _text(f"{pair.one} ⇹ {pair.other}: {pairs} pairs of hosts", wide, "", "  ")
        if view.apart_total > _APART:
            yield ((f"  … and {view.apart_total - _APART:,} more", "dim"),)


def _networks(networks: Sequence[NetworkView], wide: int) -> Iterator[Line]:
    name = max(12, min(28, wide - 46))
    heads = f"{'hosts':>6} {'inside':>7} {'across':>7}  pairs seen"
    yield ((f"{'network':{name}}{heads}", "strong"),)
    for one in networks[:_NETWORKS]:
        title = printable(one.name) + (" (guess)" if one.guessed else "")
        title = title if len(title) < name else title[: name - 2] + "…"
        counts = (one.hosts, one.inside, one.across)
        hosts, inside, across = map(short_count, counts)
        share = one.pairs_seen / one.pairs if one.pairs else 0.0
        blind = one.hosts >= 3 and not (one.inside and one.across)
        yield (
            (f"{title:{name}}", "warn" if blind else ""),
            (f"{hosts:>6} {inside:>7} {across:>7}  ", ""),
            *_bar(share, 10),
            (f" {percent(one.pairs_seen, one.pairs)}", "dim"),
        )
    if len(networks) > _NETWORKS:
        yield ((f"… and {plural(len(networks) - _NETWORKS, 'more network')}", "dim"),)


def _timeline(
    activity: Sequence[int], first_us: int, last_us: int, what: str, wide: int
) -> Iterator[Line]:
    drawn = sparkline(activity, wide)
    yield ((drawn, "accent"),)
    left, right = moment(first_us), moment(last_us)
    middle = duration(max(0, last_us - first_us))
    room = max(len(drawn), len(left) + len(right) + len(middle) + 4)
    if room > wide:
        yield ((f"{left} UTC, {middle}", "dim"),)
    else:
        space = room - len(left) - len(right) - len(middle)
        before, after = " " * (space // 2), " " * (space - space // 2)
        yield ((f"{left}{before}{middle}{after}{right}", "dim"),)
    yield ((f"{what}, {max(activity, default=0):,} at most (UTC)", "dim"),)


def _judged(remarks: Sequence[Remark], facts: Iterable[Fact], wide: int) -> Iterator[Line]:
    care = [remark for remark in remarks if remark.weight is Weight.CARE]
    rest = [remark for remark in remarks if remark.weight is not Weight.CARE]
    if care:
        yield from _remarks(care, wide)
    else:
        yield (("✓ ", "allowed"), ("nothing that should mislead", ""))
    yield ()
    yield from _facts(facts, wide)
    if rest:
        yield ()
        yield from _remarks(rest, wide)


def _facts(facts: Iterable[Fact], wide: int) -> Iterator[Line]:
    size = 20 if wide >= 74 else 10
    for fact in facts:
        label = (f"{fact.name:{_LABEL}}", "dim")
        drawn = () if fact.share is None else (*_bar(fact.share, size), (" ", ""))
        room = wide - _LABEL - sum(len(text) for text, _ in drawn)
        first, *more = wrap(fact.text, max(12, room)) or [""]
        yield (label, *drawn, (first, ""))
        for line in more:
            yield ((" " * (wide - room) + line, ""),)


def _bar(share: float, size: int) -> Line:
    drawn = bar(share, size)
    full = drawn.rstrip(NO_BAR)
    return (full, "accent"), (drawn[len(full) :], "dim")


def _remarks(remarks: Iterable[Remark], wide: int) -> Iterator[Line]:
    for remark in sorted(remarks, key=lambda remark: remark.weight is not Weight.CARE):
        care = remark.weight is Weight.CARE
        first, *more = wrap(printable(remark.text, 2000), max(12, wide - 2)) or [""]
        yield (("! " if care else "- ", "warn" if care else "dim"), (first, ""))
        for line in more:
            yield ((f"  {line}", ""),)


def _text(text: str, wide: int, tone: str, indent: str = "") -> Iterator[Line]:
    for line in wrap(printable(text, 2000), max(12, wide - len(indent))):
        yield ((indent + line, tone),)


def wrap(text: str, wide: int) -> list[str]:
    """Lines of at most `wide` characters; names with hyphens stay whole."""
    return broken(text, wide, break_on_hyphens=False)
