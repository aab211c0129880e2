"""Proposed rules as YAML, each with its evidence in comments above it."""

from workbench.model.simulation import Proposal, Suggestion
from workbench.model.text import plural, short_bytes
from workbench.model.traffic import format_time


def annotated(document: str, suggestion: Suggestion) -> str:
    """The document with a comment before each proposed rule; still the same policy."""
    notes = {proposal.rule.id: proposal for proposal in suggestion.proposals}
    lines = []
    for line in document.splitlines():
        found = notes.get(_rule_id(line))
        if found:
            indent = line[: len(line) - len(line.lstrip())]
            lines += [f"{indent}# {note}" for note in evidence_lines(found)]
        lines.append(line)
    return "\n".join(lines) + "\n"


def _rule_id(line: str) -> str:
    text = line.strip()
    return text.removeprefix("- id: ") if text.startswith("- id: ") else ""


def evidence_lines(proposal: Proposal) -> list[str]:
    """What was seen, in one or two lines."""
    seen = proposal.evidence
    kinds = ", ".join(f"{name} {count}" for name, count in seen.direction.items())
    first, last = (format_time(moment)[:19] + "Z" for moment in (seen.first_us, seen.last_us))
    told = (
        f"{plural(seen.conversations, 'conversation')}, {plural(seen.flows, 'flow')}, "
        f"{short_bytes(seen.bytes)}; {plural(seen.clients, 'client')}, "
        f"{plural(seen.servers, 'server')}; {first} to {last}; direction: {kinds}"
    )
    return [told, f"look twice: {proposal.caution}"] if proposal.caution else [told]
