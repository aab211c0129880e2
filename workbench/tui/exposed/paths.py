"""From foothold to target: chains of hops, what lets each through, the fewest things to close."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.model.exposure import OUTSIDE, AttackPath, Cut, Gate, GateKind, Hop, Scenario
from workbench.model.net import TCP, service_text
from workbench.model.packets import printable
from workbench.model.risky import RISKY, risky_by_id
from workbench.model.text import plural
from workbench.model.traffic import Progress
from workbench.tui.exposed.sheet import TONES, WORDS, Look, Part, Parts, Sheet, gate_part
from workbench.tui.widgets.pagedtable import Column, Row

if TYPE_CHECKING:
    from workbench.session import Session

COUNT = 8
"""Paths shown."""
_COLUMNS = (
    Column("path", 9),
    Column("hop", 26, flex=3),
    Column("on", 12, flex=1),
    Column("let through by", 22, flex=3),
)
NO_TARGET = (
    "No target yet: t picks a host, a segment or a label. Crown jewels are hosts with the label "
    "crown=yes: m marks them in the lists of hosts ([ and ]), and they are the target from then on."
)


@dataclass(frozen=True, slots=True)
class Step:
    """One hop of one path."""

    path: AttackPath
    number: int
    at: int

    @property
    def hop(self) -> Hop:
        return self.path.hops[self.at]


def paths_sheet(session: "Session", look: Look) -> Sheet:
    """The shortest path of every scenario above, those of the chosen one hop by hop below."""
    if not look.target:
        return Sheet(_COLUMNS, (), NO_TARGET)
    exposure, head = session.exposure, []
    ends = look.foothold, look.target
    chosen: tuple[AttackPath, ...] = ()
    for done, one in enumerate(exposure.scenarios):
        look.tell(Progress("attack paths", done, len(exposure.scenarios) + 1))
        wanted = COUNT if one is look.scenario else 1
        found = exposure.paths(*ends, one, wanted, look.cancelled)
        chosen = found if one is look.scenario else chosen
        head.append(_summary(one, found[0] if found else None, lit=one is look.scenario))
    look.tell(Progress("the fewest things to close", 1, 1))
    cut = exposure.cut(*ends, look.scenario)
    rows = _cut_rows(cut) if chosen else []
    rows += [row for number, path in enumerate(chosen, 1) for row in _rows(path, number)]
    empty = (
        f"No way from {printable(look.foothold)} to {printable(look.target)} under "
        f"{WORDS[look.scenario]}. w looks at another policy, f and t at other ends."
    )
    return Sheet(_COLUMNS, rows, empty, head)


def _summary(scenario: Scenario, path: AttackPath | None, *, lit: bool) -> Parts:
    """`▶ draft      2 hops  pc-07 → jump-1 (any) → db-1 (ssh)`."""
    mark = ("▶ " if lit else "  ", "accent")
    name = (f"{WORDS[scenario]:<10}", TONES[scenario] if lit else "dim")
    if path is None:
        return [mark, name, ("✓ no way", "allowed")]
    hops = plural(len(path.hops), "hop")
    tone = "blocked" if len(path.hops) == 1 else "uncertain"
    return [mark, name, (f"✗ {hops:<7} ", tone), (printable(path.text), "" if lit else "dim")]


def _rows(path: AttackPath, number: int) -> list[Row]:
    rows = []
    for at, hop in enumerate(path.hops):
        first = f"{number}  {plural(len(path.hops), 'hop')}"
        last = at == len(path.hops) - 1
        lead = "" if at == 0 else ("└ " if last else "├ ")
        gates = [gate_part(gate) for gate in hop.gates]
        why = (", ".join(text for text, _ in gates), gates[0][1] if gates else "")
        chain = f"{lead}{printable(hop.client)} → {printable(hop.server_text)}"
        cells = ((first, "strong") if at == 0 else "", chain, hop.service_text, why)
        rows.append(Row(Step(path, number, at), cells))
    return rows


def _cut_rows(cut: Cut) -> list[Row]:
    """What to close, as the first lines."""
    many = plural(cut.pairs, "pair")
    return [
        Row(
            gate,
            (
                ("cut", "accent") if at == 0 else "",
                (f"no way without ({many})" if at == 0 else "and", "accent"),
                "",
                (printable(gate.text), "accent"),
            ),
        )
        for at, gate in enumerate(cut.gates)
    ]


def step_parts(session: "Session", step: Step) -> Parts:
    """The chain, and the hop under the cursor in full."""
    hop = step.hop
    parts: list[Part] = []
    for at, one in enumerate(step.path.hops):
        here = at == step.at
        parts += [] if at else [(f"{printable(one.client)}\n", "strong")]
        parts += [
            (f" {'┃' if here else '│'} {one.service_text}\n", "accent" if here else "dim"),
            (f" ▼ {'; '.join(gate_part(gate)[0] for gate in one.gates)}\n", "" if here else "dim"),
            (f"{printable(one.server_text)}\n", "strong"),
        ]
    recorded = len(session.exposure.evidence(hop))
    parts.append((f"\nthis hop: {plural(recorded, 'conversation')} recorded", "strong"))
    parts.append((" – c shows them\n" if recorded else "\n", "dim"))
    services = [risky_by_id(one) for one in hop.services]
    if len(services) == sum(one.moves for one in RISKY):
        parts.append(("any service to move by is open\n", "blocked"))
    else:
        for risky in services:
            parts += [(risky.name, "accent"), (f"  {risky.technique}\n  {risky.text}\n", "dim")]
    return [*parts, ("\n", ""), *closing_parts(hop.gates)]


def closable(gate: Gate) -> bool:
    """Whether one edit of the draft closes it: a rule goes, a segment is protected."""
    return gate.kind is not GateKind.SEEN and " " not in gate.name


def closing_parts(gates: tuple[Gate, ...]) -> Parts:
    """What Enter and x would do about gates."""
    parts: list[Part] = []
    edits = [gate for gate in gates if closable(gate)]
    for gate in edits:
        key = "x " if gate is edits[0] else "then "
        parts += [(key, "accent"), (f"{printable(gate.text)} in the draft\n", "")]
    for gate in gates:
        if gate.kind is GateKind.SEEN:
            parts.append((f"{printable(gate.reason)}: a recording cannot be changed\n", "dim"))
        elif not closable(gate):
            parts.append((f"{printable(gate.name)}: 4 puts them in a segment (S)\n", "dim"))
    if edits:
        what = "rule" if edits[0].kind is GateKind.RULE else "segment"
        parts += [("enter ", "accent"), (f"opens the {what}\n", "")]
    return parts


def imagined(hop: Hop) -> tuple[str, str, str] | None:
    """Client, server and service to explain where nothing was recorded on the hop."""
    if hop.client == OUTSIDE or not hop.services:
        return None
    pieces = risky_by_id(hop.services[0]).services
    best = [piece for piece in pieces if piece.protocol == TCP][-1:] or pieces[:1]
    return hop.client, hop.server, service_text(best[0].protocol, best[0].first)
