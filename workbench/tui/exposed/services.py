"""The risky services: how open each is, who uses it, and the guardrails that keep it shut."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from workbench.model.exposure import ServiceExposure
from workbench.model.risky import RISKY
from workbench.model.text import percent, plural
from workbench.model.traffic import Progress
from workbench.tui.exposed.sheet import WORDS, Look, Part, Parts, Sheet, before, some
from workbench.tui.widgets.pagedtable import Cell, Column, Row

if TYPE_CHECKING:
    from workbench.session import Session
    from workbench.session.guarding import Ready, RiskyRow

LIGHTS = {
    "red": ("✗ red", "blocked"),
    "amber": ("! amber", "warn"),
    "green": ("✓ green", "allowed"),
}
"""Glyph, word, tone."""


def services_sheet(session: "Session", look: Look) -> Sheet:
    """Every risky service: before, under the draft, and in the recording."""
    was = before(session.exposure)
    look.tell(Progress("risky services", 0, 1))
    found = session.risky(was, look.cancelled)
    columns = (
        Column("service", 14, "0", flex=1),
        Column(WORDS[was], 9, "1"),
        Column("draft", 7, "2"),
        Column("pairs", 7, "3", right=True),
        Column("hosts", 5, "4", right=True, spare=3),
        Column("outside", 7, "5", right=True, spare=2),
        Column("used", 5, "6", right=True, spare=1),
        Column("✗ block", 7, "7", right=True),
        Column("guardrails", 11, "8"),
    )
    figures = [_figures(one) for one in found]
    counts = [sum(one.now.light == light for one in found) for light in LIGHTS]
    kept = sum(bool(one.guardrails) and not one.broken for one in found)
    head: list[Part] = [(" under the draft  ", "dim")]
    for (text, tone), count in zip(LIGHTS.values(), counts, strict=True):
        head.append((f"{text} {count}   ", tone))
    head.append((f"guardrails about {kept} of {len(found)}", "accent" if kept else "dim"))
    return Sheet(columns, [_row(one) for one in found], "", [head], figures)


def _light(one: ServiceExposure) -> Cell:
    return LIGHTS[one.light]


def _guards(one: "RiskyRow") -> Cell:
    if one.broken:
        return f"! {len(one.broken)} broken", "warn"
    if one.guardrails:
        return f"✓ {len(one.guardrails)} kept", "allowed"
    return "– none", "dim"


def _row(one: "RiskyRow") -> Row:
    traffic, blocked = one.traffic, one.traffic.would_block
    cells = (
        (one.service.id, "accent" if one.service.moves else ""),
        _light(one.before),
        _light(one.now),
        f"{one.now.pairs:,}",
        f"{one.now.servers:,}",
        (f"{one.now.outside:,}", "blocked" if one.now.outside else "dim"),
        f"{traffic.conversations:,}" if traffic.conversations else ("·", "dim"),
        (f"{blocked:,}", "blocked") if blocked else ("·", "dim"),
        _guards(one),
    )
    return Row(one, cells)


def _figures(one: "RiskyRow") -> tuple[object, ...]:
    lights = list(LIGHTS)
    return (
        [risky.id for risky in RISKY].index(one.service.id),
        -lights.index(one.before.light),
        -lights.index(one.now.light),
        one.now.pairs,
        one.now.servers,
        one.now.outside,
        one.traffic.conversations,
        one.traffic.would_block,
        (bool(one.broken), len(one.guardrails)),
    )


def service_parts(session: "Session", row: "RiskyRow") -> Parts:
    """What it is to an intruder, and what g would add."""
    risky, now, traffic = row.service, row.now, row.traffic
    users = session.service_users(risky.id)
    parts: list[Part] = [
        (f"{risky.name}\n", "strong"),
        (f"{risky.technique} {risky.technique_name}\n", "dim"),
        (f"{risky.text}\n", ""),
        (f"{' '.join(map(str, risky.services))}\n\n", "dim"),
        (*LIGHTS[now.light],),
        (f" under the draft: {plural(now.pairs, 'pair')} ({percent(now.share, 1)}), ", ""),
        (f"{plural(now.servers, 'host')} reached", ""),
        (f", {now.outside:,} from outside\n" if now.outside else "\n", "blocked"),
        ("from ", "dim"),
        ("outside, " if users.outside else "", "blocked"),
        (f"{_segments(users.clients)}\n", ""),
        ("to ", "dim"),
        (f"{_segments(users.servers)}\n", ""),
        (f"by {some([gate.reason for gate in users.gates], 3) or 'nothing'}\n", "dim"),
        (f"recorded: {plural(traffic.conversations, 'conversation')}", ""),
        (f"; worked and judged {traffic.in_scope:,}: ", "dim"),
        (f"✓ {traffic.allowed:,} ", "allowed"),
        (f"✗ {traffic.would_block:,} ", "blocked" if traffic.would_block else "dim"),
        (f"– coverage {percent(traffic.coverage, 1)}\n\n" if traffic.in_scope else "\n\n", "dim"),
    ]
    parts += [
        (f"! {one.id} does not hold: {one.witness}, {one.because}\n", "warn") for one in row.broken
    ]
    if row.broken:
        parts.append(("  rules and unprotected segments: choke points ([) rank them\n", "dim"))
    kept = [name for name in row.guardrails if name not in {one.id for one in row.broken}]
    parts += [(f"✓ kept: {some(kept, 4)}\n", "allowed")] if kept else []
    return [*parts, *_ready_parts(session.ready_guardrails(risky.id))]


def _segments(counts: Sequence[tuple[str, int]]) -> str:
    return some([f"{count} {name}" for name, count in counts], 5) or "nobody in a segment"


def _ready_parts(ready: "Ready") -> Parts:
    parts: list[Part] = []
    broken = {one.id: one for one in ready.broken}
    for one in ready.guardrails:
        parts += [
            ("g adds ", "accent"),
            (f"{one.id}\n", "strong"),
            (f"  never {some(one.clients, 6)} → {some(one.servers, 6)}\n", ""),
        ]
        if found := broken.get(one.id):
            parts.append((f"  ! not kept yet: {found.witness}, {found.because}\n", "warn"))
        else:
            parts.append(("  ✓ the draft keeps it already\n", "allowed"))
    return parts
