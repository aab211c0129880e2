"""Flows chosen, sorted and read page by page, however many there are."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.model.errors import StoreError
from workbench.model.filters import Term, parse_time
from workbench.model.traffic import CaptureReport, ConversationTable, Direction, Flow, Outcome, Stop
from workbench.store.captures import read_captures
from workbench.store.database import Connection, interruptible, transaction, translated

ConversationKeys = Mapping[str, NDArray[Any]]
"""`client`, `server` (host numbers), `protocol`, `port`: one array each, of one length."""

SORTS: Mapping[str, str] = {
    "id": "id",
    "capture": "capture",
    "client": "(SELECT address FROM hosts WHERE hosts.id = flows.client)",
    "server": "(SELECT address FROM hosts WHERE hosts.id = flows.server)",
    "protocol": "protocol",
    "client_port": "client_port",
    "server_port": "server_port",
    "packets": "packets_to_server::HUGEINT + packets_to_client",
    "packets_to_server": "packets_to_server",
    "packets_to_client": "packets_to_client",
    "bytes": "bytes_to_server::HUGEINT + bytes_to_client",
    "bytes_to_server": "bytes_to_server",
    "bytes_to_client": "bytes_to_client",
    "first_us": "first_us",
    "last_us": "last_us",
    "duration": "last_us - first_us",
    "outcome": "outcome",
    "direction": "direction",
    "vlan": "vlan",
}
"""What flows can be sorted by; equals follow in order of id."""


@dataclass(frozen=True)
class FlowQuery:
    """Which flows, and in what order."""

    rows: ConversationKeys | None = None
    """Only flows of these conversations (see `keys_of`); None for all."""
    terms: tuple[Term, ...] = ()
    """Filter terms that are decided flow by flow: capture, vlan, port, outcome, direction, after,
    before. All must hold."""
    sort: str = "first_us"
    """A key of SORTS."""
    descending: bool = False


@dataclass(frozen=True, slots=True)
class FlowTotals:
    """Sums over all flows of a view."""

    flows: int
    packets: int
    bytes: int


def keys_of(table: ConversationTable, rows: NDArray[Any]) -> ConversationKeys:
    """The keys of some rows (numbers or a mask) of a conversation table, for `FlowQuery.rows`."""
    return {name: table[name][rows] for name in ("client", "server", "protocol", "port")}


_ONE_OF: Mapping[str, str] = {
    # Flows that began in another capture, or were seen there first, have pieces in this one.
    "capture": "(capture = ? OR id IN (SELECT flow FROM pieces WHERE pieces.capture = ?))",
    "vlan": "vlan = ?",
    "port": "(protocol IN (6, 17, 132) AND ? IN (client_port, server_port))",
    "outcome": "outcome = ?",
    "direction": "direction = ?",
    "after": "last_us >= ?",
    "before": "first_us < ?",
}
"""Term field → condition for one of its values."""


def _conditions(cursor: Connection, terms: Iterable[Term]) -> tuple[str, list[int]]:
    """All terms as SQL of fixed pieces, and the values to bind."""
    captures = read_captures(cursor)
    found = [_condition(term, captures) for term in terms]
    values = [value for _, numbers in found for value in numbers]
    return " AND ".join(["TRUE", *(condition for condition, _ in found)]), values


def _condition(term: Term, captures: Iterable[CaptureReport]) -> tuple[str, list[int]]:
    """One term as SQL of fixed pieces, and the values to bind."""
    if term.field not in _ONE_OF:
        raise StoreError(f"{term.field}: is not decided flow by flow")
    numbers = [number for text in term.values for number in _numbers(term.field, text, captures)]
    condition = _ONE_OF[term.field]
    either = " OR ".join([condition] * len(numbers)) or "FALSE"
    values = [number for number in numbers for _ in range(condition.count("?"))]
    return "".join(("NOT (" if term.negated else "(", either, ")")), values


def _numbers(field: str, text: str, captures: Iterable[CaptureReport]) -> list[int]:
    match field:
        case "capture":
            return [
                report.id
                for report in captures
                if report.id is not None
                and (text in (str(report.id), report.path) or fnmatchcase(_name(report), text))
            ]
        case "outcome":
            return [item for item in Outcome if item.text == text]
        case "direction":
            return [item for item in Direction if item.text == text]
        case "after" | "before":
            return [parse_time(text)]
    return [int(text)]


def _name(report: CaptureReport) -> str:
    return Path(report.path).name


_TOTALS = """
    SELECT count(*),
        coalesce(sum(packets_to_server::HUGEINT + packets_to_client), 0),
        coalesce(sum(bytes_to_server::HUGEINT + bytes_to_client), 0)
    FROM flows
"""
_PICK = "CREATE TEMP TABLE picked AS SELECT id FROM flows"
_ONLY_CHOSEN = "SEMI JOIN chosen USING (client, server, protocol, server_port)"
_PAGE = "SELECT id FROM picked WHERE rowid >= ? AND rowid < ? ORDER BY rowid"
_FLOWS = """
    SELECT flows.id, capture, client.address, server.address, protocol, client_port, server_port,
        packets_to_server, packets_to_client, bytes_to_server, bytes_to_client, first_us, last_us,
        outcome, direction, flags_to_server, flags_to_client, vlan, first_offset, last_offset,
        client_token, server_token, client_ttl, server_ttl, tunnel, marks
    FROM flows
    JOIN hosts AS client ON client.id = flows.client
    JOIN hosts AS server ON server.id = flows.server
    WHERE flows.id IN (SELECT unnest($ids::BIGINT[]))
"""


class FlowView:
    """A sorted selection of flows, frozen when it is made: loads that follow do not change it."""

    def __init__(self, cursor: Connection, totals: FlowTotals) -> None:
        self._cursor = cursor
        self._lock = Lock()  # pages may be asked for by several threads, a cursor answers one
        self.totals = totals

    @property
    def total(self) -> int:
        """How many flows there are."""
        return self.totals.flows

    def page(self, start: int, count: int) -> tuple[Flow, ...]:
        """Flows `start` (from 0) to `start + count`; fewer at the end, none beyond it."""
        with self._lock, translated():
            rows = self._cursor.execute(_PAGE, (start, start + count)).fetchall()
            ids = [number for (number,) in rows]
            found = {flow.id: flow for flow in read_flows(self._cursor, ids)}
        return tuple(found[number] for number in ids)

    def close(self) -> None:
        """Free what the view holds."""
        with self._lock:
            self._cursor.close()

    def __enter__(self) -> "FlowView":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def read_flows(cursor: Connection, ids: list[int]) -> list[Flow]:
    """The flows with these ids, in no order; unknown ids are left out."""
    return [_flow(list(row)) for row in cursor.execute(_FLOWS, {"ids": ids}).fetchall()]


def _flow(row: list[Any]) -> Flow:
    row[13:15] = Outcome(row[13]), Direction(row[14])
    return Flow(*row)


def open_view(cursor: Connection, query: FlowQuery, cancelled: Stop) -> FlowView:
    """Select and sort into a table private to `cursor`, which the view takes over.

    Raises Cancelled once `cancelled()` is true, StoreError for an unknown term or sort key.
    """
    if query.sort not in SORTS:
        raise StoreError(f"cannot sort flows by {query.sort!r}")
    with transaction(cursor), interruptible(cursor, cancelled):
        where, values = _conditions(cursor, query.terms)
        selection = [_ONLY_CHOSEN] if query.rows is not None else []
        selection += ["WHERE", where]
        if query.rows is not None:
            cursor.register("chosen", _chosen(query.rows))
        [totals] = cursor.execute(" ".join((_TOTALS, *selection)), values).fetchall()
        order = ["ORDER BY", SORTS[query.sort], "DESC" if query.descending else "ASC", ", id"]
        cursor.execute(" ".join((_PICK, *selection, *order)), values)
    return FlowView(cursor, FlowTotals(*totals))


_NUMBERED = """
    SELECT place FROM (
        SELECT row_number() OVER () - 1 AS place, client, server, protocol, port AS server_port
        FROM conversations
    )
    SEMI JOIN (FROM flows WHERE
"""
_HAVING = (_NUMBERED, ") USING (client, server, protocol, server_port)")


def conversations_having(cursor: Connection, terms: tuple[Term, ...]) -> NDArray[np.bool_]:
    """Which conversations have a flow for which all the terms hold: one bool each, stored order."""
    with transaction(cursor):  # one state of the store for all three questions
        where, values = _conditions(cursor, terms)
        found = cursor.execute(where.join(_HAVING), values).fetchnumpy()["place"]
        [(size,)] = cursor.execute("SELECT count(*) FROM conversations").fetchall()
    rows: NDArray[np.bool_] = np.zeros(size, dtype=np.bool_)
    rows[found.astype(np.int64)] = True
    return rows


def _chosen(keys: ConversationKeys) -> dict[str, NDArray[Any]]:
    columns = {"client": np.int32, "server": np.int32, "protocol": np.uint8}
    chosen: dict[str, NDArray[Any]] = {
        name: np.ascontiguousarray(keys[name], kind) for name, kind in columns.items()
    }
    chosen["server_port"] = np.ascontiguousarray(keys["port"], np.uint16)
    return chosen
