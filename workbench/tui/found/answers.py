"""What can be done about a finding, each tried out: rows, and one answer in full."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.model.finding import Finding
from workbench.model.packets import printable
from workbench.model.response import Answer, Replayed, Without
from workbench.model.text import plural, short_bytes
from workbench.tui.found.replayed import FATES
from workbench.tui.found.rows import Part
from workbench.tui.lines import stories
from workbench.tui.widgets.pagedtable import Cell, Column, Row

if TYPE_CHECKING:
    from workbench.session import Session
    from workbench.session.response import Answered

Stop = Callable[[], bool]
COLUMNS = (
    Column("answer", 20, flex=2),
    Column("this", 12),
    Column("the intrusion", 17),
    Column("would also break", 19, flex=1),
)
_MOST = 8
"""Conversations told by name."""


@dataclass(frozen=True)
class Tried:
    """An option tried out."""

    answered: "Answered"
    before: Replayed
    """The whole intrusion under the draft."""
    after: Replayed
    """The same under the edited draft."""
    parts: list[Part]
    """What the edit does, in words."""
    diff: list[Part]
    """What it is, as a diff."""


@dataclass(frozen=True)
class Option:
    """One thing to do; `work` tries it out, in a worker."""

    title: str
    work: "Callable[[Session, Stop], Answered]"
    host: int | None = None
    """Whom it quarantines: access for somebody may be named."""


def options(session: "Session", one: Finding, among: Sequence[Finding]) -> Iterator[Option]:
    """From the most careful to the most drastic. among: all that was found in this look."""

    def narrow(without: Without) -> "Callable[[Session, Stop], Answered]":
        return lambda session, stop: session.response.narrow(
            one, without=without, among=among, cancelled=stop
        )

    def keeping(session: "Session", stop: Stop) -> "Answered":
        return session.response.narrow(one, keep=True, among=among, cancelled=stop)

    def guard(wide: bool) -> "Callable[[Session, Stop], Answered]":
        return lambda session, stop: session.response.guardrail(
            one, wide=wide, among=among, cancelled=stop
        )

    def shut(host: int) -> "Callable[[Session, Stop], Answered]":
        return lambda session, stop: session.response.quarantine(
            one, host=host, among=among, cancelled=stop
        )

    servers = "server" if len(one.peers) == 1 else "servers"
    yield Option("guardrail: exactly", guard(wide=False))
    yield Option("guardrail: segments", guard(wide=True))
    yield Option("narrow: exactly", narrow(Without.EXACT))
    yield Option("narrow, keep others", keeping)
    yield Option("narrow: the client", narrow(Without.CLIENT))
    yield Option(f"narrow: the {servers}", narrow(Without.SERVER))
    yield Option("narrow: the service", narrow(Without.SERVICE))
    listed = session.inventory.by_address
    peers = one.peers if len(one.peers) == 1 and one.peers[0] in listed else ()
    for host in (one.host, *peers):
        yield Option(f"quarantine {printable(session.inventory.name(host))}", shut(host), host)


def tried(
    session: "Session",
    option: Option,
    one: Finding,
    among: Sequence[Finding],
    before: Replayed | None,
    stop: Stop,
) -> Tried:
    """In a worker; `before` where it is known already. Raises InputError if it cannot be done."""
    answered, response = option.work(session, stop), session.response
    intrusion = tuple({found.id: found for found in (*response.intrusion(among), one)}.values())
    before = before or response.replay(intrusion, answered.draft, "draft", cancelled=stop)
    after = response.replay(intrusion, answered.edit.policy, "edited", cancelled=stop)
    parts = answer_parts(session, answered, before, after)
    return Tried(answered, before, after, parts, diff_parts(response.diff(answered)))


def answer_row(at: int, option: Option, known: "Tried | str | None", *, again: bool) -> Row:
    """In the order of COLUMNS; a text is why it cannot be done, None while it is tried out.

    again: an answer above comes to the same.
    """
    cells: tuple[Cell, ...]
    if known is None:
        cells = (option.title, ("…", "dim"), ("trying it out", "dim"), "")
    elif isinstance(known, str):
        cells = ((option.title, "dim"), ("–", "out"), ("not possible", "out"), (known, "dim"))
    else:
        cells = (option.title, alone(known.answered), whole(known.after), costs(known.answered))
        if not known.answered.changed:
            cells = ((option.title, "dim"), *cells[1:3], ("changes nothing", "dim"))
        elif again:
            cells = ((option.title, "dim"), *cells[1:3], ("the same as above", "dim"))
    return Row(at, cells)


def alone(answered: "Answered") -> tuple[str, str]:
    """`✓ stopped`, `✗ 2 of 246` steps that get through, and its tone."""
    if answered.edit.answer is Answer.GUARDRAIL:
        return "! warns", "warn"
    run = answered.after
    through = sum(step.fate.through for step in run.steps)
    return ("✓ stopped", "allowed") if run.stopped else (f"✗ {through} of {len(run.steps)}",
                                                         "blocked")  # fmt: skip


def whole(run: Replayed) -> tuple[str, str]:
    """`✓ at hop 1 of 3`, `✗ 2 of 3 hops through`, and its tone."""
    if run.stopped:
        where = f"at hop {run.stopped_at} of {len(run.hops)}" if run.hops else "stopped"
        return f"✓ {where}", "allowed"
    return (f"✗ {run.passed} of {len(run.hops)} through" if run.hops else "✗ not"), "blocked"


def stopped(replayed: Replayed) -> tuple[str, str]:
    """`✓ stopped at hop 1 of 3`, and its tone."""
    if replayed.stopped:
        return f"✓ {replayed.text}", "allowed"
    return f"✗ {replayed.text}", "blocked"


def costs(answered: "Answered") -> tuple[str, str]:
    """`✗ 4 conversations`, or `✗ 4  ? 1  ! 2` where they have to share the room, and its tone."""
    cost = answered.cost
    counts = (
        ("✗", len(cost.rows), "conversation", "blocked"),
        ("?", len(cost.doubtful), "uncertain", "uncertain"),
        ("!", len(answered.broken), "guardrail", "warn"),
    )
    told = [one for one in counts if one[1]]
    if not told:
        return "nothing", "allowed"
    if len(told) > 1:
        return "  ".join(f"{glyph} {count:,}" for glyph, count, *_ in told), told[0][3]
    glyph, count, thing, tone = told[0]
    words = f"{count:,} {thing}" if glyph == "?" else plural(count, thing)
    return f"{glyph} {words}", tone


def answer_parts(
    session: "Session", answered: "Answered", before: Replayed, after: Replayed
) -> list[Part]:
    """The edit, what it would have done, and what else would break, by name.

    before, after: the whole intrusion under the draft, and under the draft edited.
    """
    edit, cost = answered.edit, answered.cost
    parts: list[Part] = [(f"{printable(edit.label)}\n", "strong")]
    if edit.answer is Answer.GUARDRAIL:
        parts.append(("It blocks nothing by itself: it tells when a draft lets it happen.\n", ""))
    parts += [(f"{printable(note)}\n", "dim") for note in edit.notes]
    rows = (("This now", answered.before), ("This then", answered.after),
            ("The intrusion now", before), ("The intrusion then", after))  # fmt: skip
    for title, run in rows:
        text, tone = stopped(run)
        parts += [(f"{title:<20}", "dim"), (f"{text}\n", tone)]
    for hop in after.hops[:_MOST]:
        ends = f"{session.inventory.name(hop.client)} → {session.inventory.name(hop.server)}"
        told, tone = FATES[hop.fate]
        parts += [(f"  hop {hop.number}  {printable(ends)}  ", ""), (told, tone),
                  (f"  {printable(hop.because)}\n", "dim")]  # fmt: skip
    if cost.blocked:  # what the header will count
        parts.append((f"\n{cost.text[0].upper()}{cost.text[1:]}", "dim"))
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
        parts.append((f"! guardrail {broken.id} breaks: {printable(broken.witness)}\n", "warn"))
    for one in answered.unmet:
        parts.append((f"! It does not hold yet: {printable(one.witness)}\n", "warn"))
    return parts


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
