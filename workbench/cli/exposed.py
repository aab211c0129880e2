"""Exposure as records: JSON keys are the model's field names."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict

from workbench.cli.records import Record
from workbench.model.exposure import (
    AttackPath,
    Blast,
    Choke,
    Crossing,
    Cut,
    Gate,
    Reach,
    Scenario,
    ScenarioExposure,
    ServiceExposure,
    ServiceTraffic,
    TargetExposure,
)


def whole_record(found: ScenarioExposure) -> Record:
    """One scenario, without its services."""
    record = asdict(found)
    del record["services"]
    return {**record, "score": round(found.score, 2)}


def service_record(scenario: Scenario, found: ServiceExposure) -> Record:
    """One risky service under one scenario."""
    return {"scenario": scenario, **asdict(found), "share": round(found.share, 4)}


def traffic_record(found: ServiceTraffic) -> Record:
    """What was recorded of a risky service, and what the draft makes of it."""
    return {
        "conversations": found.conversations,
        "allowed": found.allowed,
        "would_block": found.would_block,
        "coverage": round(found.coverage, 4),
    }


def target_record(scenario: Scenario, found: TargetExposure) -> Record:
    """One host or segment under one scenario."""
    return {"scenario": scenario, **asdict(found)}


def crossing_record(scenario: Scenario, found: Crossing) -> Record:
    """From one segment to another under one scenario."""
    return {"scenario": scenario, **asdict(found), "share": round(found.share, 4)}


def beside(
    tables: Mapping[Scenario, Sequence[Record]], keys: str, figures: str
) -> Iterator[Record]:
    """Scenarios side by side: one column a figure and scenario."""
    for rows in zip(*tables.values(), strict=True):
        yield {
            **{key: rows[0][key] for key in keys.split()},
            **{
                f"{figure}_{scenario}": row[figure]
                for figure in figures.split()
                for scenario, row in zip(tables, rows, strict=True)
            },
        }


def reach_records(found: Reach) -> Iterator[Record]:
    """Who reaches a target: one record a service."""
    for one in found.services:
        yield {
            "scenario": found.scenario,
            "target": found.target,
            "service": one.service,
            "technique": one.technique,
            "moves": one.moves,
            "clients": len(one.hosts),
            "outside": one.outside,
            "segments": dict(one.segments),
            "gates": [gate_record(gate) for gate in one.gates],
            "hosts": list(one.hosts),
        }


def blast_records(found: Blast) -> Iterator[Record]:
    """The blast radius: one record a ring."""
    for ring in found.rings:
        yield {
            "scenario": found.scenario,
            "foothold": found.foothold,
            "hops": ring.hops,
            "machines": len(ring.hosts),
            "segments": dict(ring.segments),
            "hosts": list(ring.hosts),
        }


def path_record(found: AttackPath) -> Record:
    """One attack path with all its hops."""
    return {
        "scenario": found.scenario,
        "text": found.text,
        "hops": [
            {
                "client": hop.client,
                "server": hop.server,
                "alike": hop.alike,
                "services": list(hop.services),
                "gates": [gate_record(gate) for gate in hop.gates],
            }
            for hop in found.hops
        ],
    }


def gate_record(gate: Gate) -> Record:
    """What lets something through."""
    return {"kind": gate.kind, "name": gate.name, "reason": gate.reason, "close": gate.text}


def choke_record(scenario: Scenario, found: Choke) -> Record:
    """One choke point."""
    return {
        "scenario": scenario,
        "kind": found.kind,
        "name": found.name,
        "text": found.text,
        "cut": found.cut,
        "share": round(found.share, 4),
    }


def cut_record(found: Cut) -> Record:
    """The fewest things to close."""
    gates = [gate_record(gate) for gate in found.gates]
    return {"scenario": found.scenario, "pairs": found.pairs, "gates": gates}


def flat(records: Iterable[Record]) -> Iterator[Record]:
    """For tables and CSV: gates as reasons, hops as a chain."""
    for record in records:
        shown = dict(record)
        if "gates" in shown:
            shown["because"] = [gate["reason"] for gate in shown.pop("gates")]
        if "hops" in shown and isinstance(shown["hops"], list):
            hops = shown["hops"]
            shown["because"] = "; ".join(
                ", ".join(gate["reason"] for gate in hop["gates"]) for hop in hops
            )
            shown["hops"] = len(hops)
        yield shown
