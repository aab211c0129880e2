"""Values as records: JSON keys are the model's field names."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from workbench.cli.output import shown_time
from workbench.model.finding import Finding
from workbench.model.matrix import MATRIX_COUNTS, Matrix
from workbench.model.net import (
    PROTOCOL_NAMES,
    format_address,
    service_text,
    shown_port,
    shown_type,
)
from workbench.model.packets import Packet
from workbench.model.rendered import Verification
from workbench.model.simulation import Proposal, Simulation
from workbench.model.site import HostFacts
from workbench.model.traffic import Flow, format_time
from workbench.model.verdict import Class, Explanation, RuleUse, Verdict

if TYPE_CHECKING:
    from workbench.session import BrokenGuardrail, Session

Record = dict[str, Any]


def _protocol(number: int) -> str:
    return PROTOCOL_NAMES.get(number, f"ip/{number}")


def flow_record(session: "Session", flow: Flow) -> Record:
    """One flow; its `capture` is the path of the file it was seen in."""
    return {
        "id": flow.id,
        "client": format_address(flow.client),
        "server": format_address(flow.server),
        "client_name": session.inventory.name(flow.client),
        "server_name": session.inventory.name(flow.server),
        "protocol": _protocol(flow.protocol),
        "client_port": shown_port(flow.protocol, flow.client_port),
        "server_port": shown_port(flow.protocol, flow.server_port),
        "icmp_type": shown_type(flow.protocol, flow.server_port),
        "service": flow.service,
        "packets_to_server": flow.packets_to_server,
        "packets_to_client": flow.packets_to_client,
        "bytes_to_server": flow.bytes_to_server,
        "bytes_to_client": flow.bytes_to_client,
        "first_seen": format_time(flow.first_us),
        "last_seen": format_time(flow.last_us),
        "outcome": flow.outcome.text,
        "direction": flow.direction.text,
        "vlan": flow.vlan or None,
        "capture": session.capture(flow.capture).path,
    }


def host_record(host: HostFacts) -> Record:
    """One host."""
    return {
        "address": format_address(host.address),
        "name": host.name,
        "labels": dict(host.labels),
        "segments": list(host.segments),
        "conversations": host.conversations,
        "as_client": host.as_client,
        "as_server": host.as_server,
        "bytes": host.bytes,
        "services": list(host.services),
        "first_seen": shown_time(host.first_us),
        "last_seen": shown_time(host.last_us),
    }


def conversation_record(session: "Session", simulation: Simulation, row: int) -> Record:
    """One conversation with its verdict."""
    seen = simulation.table.at(row)
    verdict = Verdict(int(simulation.verdicts[row]))
    rules = simulation.rules_of(row) if verdict is Verdict.ALLOWED else ()
    return {
        "client": format_address(seen.client),
        "server": format_address(seen.server),
        "client_name": session.inventory.name(seen.client),
        "server_name": session.inventory.name(seen.server),
        "protocol": _protocol(seen.protocol),
        "server_port": shown_port(seen.protocol, seen.port),
        "icmp_type": shown_type(seen.protocol, seen.port),
        "service": seen.service,
        "flows": seen.flows,
        "packets": seen.packets,
        "bytes": seen.bytes,
        "first_seen": format_time(seen.first_us),
        "last_seen": format_time(seen.last_us),
        "outcome": seen.outcome.text,
        "direction": seen.direction.text,
        "verdict": verdict.text,
        "class": Class(int(simulation.classes[row])).text,
        "rules": list(rules),
    }


def matrix_records(matrix: Matrix) -> Iterator[Record]:
    """One record a cell that saw traffic."""
    cells = matrix.cells
    for at in range(len(cells["row"])):
        yield {
            "client": matrix.rows[cells["row"][at]],
            "server": matrix.columns[cells["column"][at]],
            **{name: int(cells[name][at]) for name in MATRIX_COUNTS},
            "last_seen": format_time(int(cells["last_us"][at])),
        }


def rule_record(use: RuleUse) -> Record:
    """What the traffic says of one rule."""
    record = asdict(use)
    record["last_seen"] = shown_time(record.pop("last_us"))
    return record


def simulation_head(simulation: Simulation) -> Record:
    """`totals`, `coverage` and `rules` of a simulation."""
    totals, coverage = simulation.totals, simulation.coverage
    return {
        "totals": {
            "conversations": totals.conversations,
            "flows": totals.flows,
            "bytes": totals.bytes,
            "classes": {klass.text: count for klass, count in totals.by_class.items()},
            "bytes_by_class": {klass.text: size for klass, size in totals.bytes_by_class.items()},
        },
        "coverage": {
            **asdict(coverage),
            "share": round(coverage.share, 6),
            "bytes_share": round(coverage.bytes_share, 6),
        },
        "rules": [rule_record(use) for use in simulation.rules],
    }


def proposal_record(proposal: Proposal) -> Record:
    """A proposed rule with its evidence."""
    rule, evidence = proposal.rule, asdict(proposal.evidence)
    evidence["first_seen"] = format_time(evidence.pop("first_us"))
    evidence["last_seen"] = format_time(evidence.pop("last_us"))
    return {
        "id": rule.id,
        "from": list(rule.clients),
        "to": list(rule.servers),
        "services": list(rule.services),
        **evidence,
        "caution": proposal.caution,
        "breaks": list(proposal.breaks),
    }


def explanation_record(found: Explanation) -> Record:
    """Why a conversation is judged as it is."""
    return {
        "conversation": found.conversation,
        "verdict": found.decision.verdict.text,
        "class": found.klass.text if found.klass else None,
        "rules": list(found.decision.rules),
        "reason": found.decision.reason,
        "observed_flows": found.observed_flows,
        "client_segments": list(found.client_segments),
        "server_segments": list(found.server_segments),
        "near_misses": [
            {"rule": miss.rule, "lacks": list(miss.lacks)} for miss in found.near_misses
        ],
    }


def guardrail_record(broken: "BrokenGuardrail") -> Record:
    """A guardrail that does not hold, with a conversation that shows it."""
    return {**asdict(broken), "assertion": broken.assertion.value}


def verification_record(found: Verification, edited: tuple[str, ...]) -> Record:
    """The certificate."""
    return {
        "target": found.target,
        "proven": found.proven,
        "judged": found.judged,
        "probes": found.probes,
        "skipped": found.skipped,
        "mismatches": [asdict(mismatch) for mismatch in found.mismatches],
        "checks": [asdict(check) for check in found.checks],
        "edited": list(edited),
    }


def packet_record(packet: Packet) -> Record:
    """One dissected packet."""
    return {
        "number": packet.number,
        "time": format_time(packet.time_us),
        "to_server": packet.to_server,
        "length": packet.length,
        "captured": packet.captured,
        "protocol": packet.protocol,
        "info": packet.info,
        "layers": [
            {"name": layer.name, "fields": [[one.name, one.value] for one in layer.fields]}
            for layer in packet.layers
        ],
    }


def finding_record(session: "Session", finding: Finding) -> Record:
    """One finding; its evidence as conversations, whose flows `findings --evidence ID` lists."""
    known = finding.suppression
    return {
        "id": finding.id,
        "kind": finding.kind,
        "stage": finding.stage.value,
        "technique": finding.technique,
        "title": finding.title,
        "host": format_address(finding.host),
        "host_name": session.inventory.name(finding.host),
        "peers": list(map(format_address, finding.peers)),
        "peer_names": list(map(session.inventory.name, finding.peers)),
        "first_seen": format_time(finding.first_us),
        "last_seen": format_time(finding.last_us),
        "confidence": finding.confidence.text,
        "impact": finding.impact.text,
        "why": finding.why,
        "unseen": finding.unseen,
        "suppressed": known.reason if known else None,
        "suppressed_until": known.until.isoformat() if known and known.until else None,
        "evidence": [
            {
                "client": format_address(one.client),
                "server": format_address(one.server),
                "service": service_text(one.protocol, one.port),
            }
            for one in finding.evidence
        ],
    }
