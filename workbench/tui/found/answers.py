"""What can be done about a finding, each tried out: rows, and one answer in full."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.model.finding import Finding
from workbench.model.packets import printable
from workbench.model.response import Replayed, Without
from workbench.model.text import short_bytes
from workbench.tui.found.replayed import FATES
from workbench.tui.found.rows import Part
from workbench.tui.lines import plural, stories
from workbench.tui.widgets.pagedtable import Cell, Column, Row

if TYPE_CHECKING:
    from workbench.session import Session
    from workbench.session.response import Answered

Stop = Callable[[], bool]
COLUMNS = (
    Column("answer", 26, flex=2),
    Column("would it have stopped it?", 25, flex=1),
    Column("what else would break", 21, flex=1),
)
_MOST = 8
"""Conversations told by name."""


@dataclass(frozen=True)
class Option:
    """One thing to do; `work` tries it out, in a worker."""

    title: str
    work: "Callable[[Session, Stop], Answered]"
    host: int | None = None
    """Whom it quarantines: access for somebody may be named."""


def options(session: "Session", one: Finding) -> Iterator[Option]:
    """From the most careful to the most drastic."""

    def narrow(without: Without) -> "Callable[[Session, Stop], Answered]":
        return lambda session, stop: session.response.narrow(one, without, cancelled=stop)

    def guard(wide: bool) -> "Callable[[Session, Stop], Answered]":
        return lambda session, stop: session.response.guardrail(one, wide=wide, cancelled=stop)

    def shut(host: int) -> "Callable[[Session, Stop], Answered]":
        return lambda session, stop: session.response.quarantine(one, host=host, cancelled=stop)

    yield Option("guardrail: never this again", guard(wide=False))
    yield Option("guardrail: between the segments", guard(wide=True))
    yield Option("narrow: without these conversations", narrow(Without.EXACT))
    yield Option("narrow: without the client", narrow(Without.CLIENT))
    yield Option(f"narrow: without the {_many('server', one)}", narrow(Without.SERVER))
    yield Option("narrow: without the service", narrow(Without.SERVICE))
    hosts = (one.host, *one.peers) if len(one.peers) == 1 else (one.host,)
    for host in hosts:
        yield Option(f"quarantine {printable(session.inventory.name(host))}", shut(host), host)


def _many(word: str, one: Finding) -> str:
    return word if len(one.peers) == 1 else f"{word}s"


def answer_row(at: int, option: Option, answered: "Answered | str | None") -> Row:
    """In the order of COLUMNS; a text is why it cannot be done, None while it is tried out."""
    cells: tuple[Cell, ...]
    if answered is None:
        cells = (option.title, ("trying it out …", "dim"), "")
    elif isinstance(answered, str):
        cells = ((option.title, "dim"), ("– not possible", "out"), (printable(answered), "dim"))
    else:
        cells = (option.title, stopped(answered.after), costs(answered))
    return Row(at, cells)


def stopped(replayed: Replayed) -> tuple[str, str]:
    """`✓ stopped at hop 1 of 3`, and its tone."""
    if replayed.stopped:
        return f"✓ {replayed.text}", "allowed"
    return f"✗ {replayed.text}", "blocked"


def costs(answered: "Answered") -> tuple[str, str]:
    """`✗ 4 conversations`, and its tone."""
    cost = answered.cost
    told = [f"✗ {plural(len(cost.rows), 'conversation')}"] if cost.rows else []
    told += [f"? {len(cost.doubtful):,}"] if cost.doubtful else []
    told += [f"! {plural(len(answered.broken), 'guardrail')}"] if answered.broken else []
    if not told:
        return "nothing", "allowed"
    tone = "blocked" if cost.rows else "uncertain" if cost.doubtful else "warn"
    return "  ".join(told), tone


def answer_parts(session: "Session", answered: "Answered") -> list[Part]:
    """The edit, what it would have done, and what else would break, by name."""
    edit, cost = answered.edit, answered.cost
    parts: list[Part] = [(f"{printable(edit.label)}\n", "strong")]
    parts += [(f"  {printable(note)}\n", "dim") for note in edit.notes]
    parts += [("\nNow   ", "dim"), *_line(stopped(answered.before))]
    parts += [("Then  ", "dim"), *_line(stopped(answered.after))]
    for hop in answered.after.hops[:_MOST]:
        ends = f"{session.inventory.name(hop.client)} → {session.inventory.name(hop.server)}"
        told, tone = FATES[hop.fate]
        parts += [(f"  hop {hop.number}  {printable(ends)}  ", ""), (told, tone),
                  (f"  {printable(hop.because)}\n", "dim")]  # fmt: skip
    if not cost.rows:
        parts.append(("\nNothing else that works today would break\n", "allowed"))
    else:
        told = f"{plural(len(cost.rows), 'conversation')}, {plural(cost.flows, 'flow')}, "
        ends = f"{short_bytes(cost.bytes)}, {plural(len(cost.hosts), 'host')}"
        parts += [("\nWould break  ", "dim"), (f"{told}{ends}\n", "blocked")]
        parts += _conversations(session, cost.rows)
    if cost.doubtful:
        told = plural(len(cost.doubtful), "conversation")
        parts += [("Cannot be told for  ", "dim"), (f"{told}\n", "uncertain")]
        parts += _conversations(session, cost.doubtful)
    for broken in answered.broken:
        parts.append((f"! guardrail {broken.id} would be broken: {broken.witness}\n", "warn"))
    return parts


def _line(cell: tuple[str, str]) -> list[Part]:
    text, tone = cell
    return [(f"{text}\n", tone)]


def _conversations(session: "Session", rows: Sequence[int]) -> Iterator[Part]:
    for story in stories(session, rows[:_MOST]):
        seen = story.conversation
        told = f"{story.client} → {story.server}  {plural(seen.flows, 'flow')}"
        yield (f"  {seen.service:<10} ", "strong")
        yield (f"{told}  {short_bytes(seen.bytes)}\n", "")
    if len(rows) > _MOST:
        yield (f"  … and {len(rows) - _MOST:,} more\n", "dim")


def diff_parts(diff: str) -> list[Part]:
    """A unified diff in the colours of diffs."""
    tones = {"+": "allowed", "-": "blocked", "@": "accent"}
    lines = diff.splitlines()[2:]  # the names of the files say nothing here
    if not lines:
        return [("policy.yaml stays as it is", "dim")]
    return [(f"{printable(line)}\n", tones.get(line[:1], "dim")) for line in lines]
