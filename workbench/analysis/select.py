"""The filter line on conversations: one bool a row, decided column by column."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from workbench.analysis.hosts import members
from workbench.analysis.numbers import within
from workbench.analysis.words import HostWords, UnknownWord
from workbench.model.errors import FilterError
from workbench.model.filters import FLOW_FIELDS, Filter, Term, comparison, parse_time
from workbench.model.net import PORT_PROTOCOLS
from workbench.model.policy import ResolvedRule
from workbench.model.simulation import Simulation
from workbench.model.text import did_you_mean
from workbench.model.traffic import Direction, Outcome
from workbench.model.verdict import Class, Verdict

Mask = NDArray[np.bool_]
_COMPARE: Mapping[str, Callable[[NDArray[np.int64], int], Mask]] = {
    "=": np.equal,
    "<": np.less,
    ">": np.greater,
    "<=": np.less_equal,
    ">=": np.greater_equal,
}


def select(wanted: Filter, simulation: Simulation, words: HostWords) -> Mask:
    """Rows of the simulation's table that the filter line keeps.

    Terms that are decided flow by flow (`capture`, `vlan`, `port`) keep every conversation that
    may have such a flow; negated they keep all. Raises FilterError for words unknown here.
    """
    rows: Mask = np.ones(len(simulation.table), dtype=np.bool_)
    for term in wanted.terms:
        try:
            rows &= _term(term, simulation, words)
        except UnknownWord as error:
            raise FilterError(str(error), text=str(wanted), position=term.position) from error
    return rows


def _term(term: Term, simulation: Simulation, words: HostWords) -> Mask:
    if term.field in FLOW_FIELDS and (term.negated or term.field != "port"):
        return np.ones(len(simulation.table), dtype=np.bool_)
    kept: Mask = np.zeros(len(simulation.table), dtype=np.bool_)
    for value in term.values:
        kept |= _DECIDE[term.field](value, term.field, simulation, words)
    return ~kept if term.negated else kept


def _end(value: str, field: str, simulation: Simulation, words: HostWords) -> Mask:
    hosts, table = words.hosts(value), simulation.table
    if field == "host":
        return hosts.take(table["client"]) | hosts.take(table["server"])
    return hosts.take(table[field])


def _service(value: str, _: str, simulation: Simulation, words: HostWords) -> Mask:
    return within(simulation.table["protocol"], simulation.table["port"], words.ranges(value))


def in_box(simulation: Simulation, box: ResolvedRule) -> Mask:
    """Rows that a rule, or the box of a guardrail, matches."""
    table = simulation.table
    clients, servers = members(box.clients, table.hosts), members(box.servers, table.hosts)
    rows: Mask = clients.take(table["client"]) & servers.take(table["server"])
    rows &= within(table["protocol"], table["port"], box.services)
    return rows


def _port(value: str, _: str, simulation: Simulation, __: HostWords) -> Mask:
    table, port = simulation.table, int(value)
    low, high = table["client_port_low"], table["client_port_high"]
    has_ports: Mask = np.isin(table["protocol"], list(PORT_PROTOCOLS))
    has_ports &= (table["port"] == port) | ((low <= port) & (port <= high))
    return has_ports


def _rule(value: str, _: str, simulation: Simulation, __: HostWords) -> Mask:
    rule = next((rule for rule in simulation.policy.rules if rule.id == value), None)
    if rule is None:
        if value in simulation.policy.expired:
            return np.zeros(len(simulation.table), dtype=np.bool_)
        names = [use.id for use in simulation.rules]
        raise UnknownWord(f"no rule is called {value!r}{did_you_mean(value, names)}")
    box = in_box(simulation, rule)
    box &= simulation.verdicts == Verdict.ALLOWED
    return box


def _number(value: str, field: str, simulation: Simulation, _: HostWords) -> Mask:
    sign, number = comparison(value)
    return _COMPARE[sign](simulation.table[field], number)


def _time(value: str, field: str, simulation: Simulation, _: HostWords) -> Mask:
    moment, table = parse_time(value), simulation.table
    kept: Mask = table["last_us"] >= moment if field == "after" else table["first_us"] < moment
    return kept


def _choice(value: str, field: str, simulation: Simulation, _: HostWords) -> Mask:
    column = {"verdict": simulation.verdicts, "class": simulation.classes}.get(field)
    kept: Mask = np.equal(
        simulation.table[field] if column is None else column, CODES[field, value]
    )
    return kept


CODES: Mapping[tuple[str, str], int] = {
    (field, kind.text): int(kind)
    for field, kinds in (
        ("outcome", list(Outcome)),
        ("direction", list(Direction)),
        ("verdict", list(Verdict)),
        ("class", list(Class)),
    )
    for kind in kinds
}
"""(field, word) → the number in the column."""
_DECIDE: Mapping[str, Callable[[str, str, Simulation, HostWords], Mask]] = {
    **dict.fromkeys(("client", "server", "host"), _end),
    "service": _service,
    "port": _port,
    **dict.fromkeys(("outcome", "direction", "verdict", "class"), _choice),
    "rule": _rule,
    **dict.fromkeys(("bytes", "flows", "packets"), _number),
    **dict.fromkeys(("after", "before"), _time),
}
