"""Real captures as flows, and what Zeek's connection logs say about the same captures."""

import gzip
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from workbench.capture import read_capture
from workbench.model.net import format_address
from workbench.model.traffic import CaptureReport, FlowColumns

End = tuple[str, int]
Row = dict[str, Any]
"""A flow by the names of FLOW_DTYPES, with `client` and `server` as ends, and both as `ends`."""


@cache
def load(path: Path) -> tuple[CaptureReport, tuple[Row, ...]]:
    """A capture's report and flows; read once however many tests look at them."""
    batches: list[FlowColumns] = []
    report = read_capture(path, on_flows=batches.append)
    return report, tuple(flow for batch in batches for flow in _rows(batch))


def _rows(batch: FlowColumns) -> Iterator[Row]:
    names, columns = list(batch), [column.tolist() for column in batch.values()]
    for values in zip(*columns, strict=True):
        flow: Row = dict(zip(names, values, strict=True))
        for end in ("client", "server"):
            address = format_address(flow[f"{end}_hi"] << 64 | flow[f"{end}_lo"])
            flow[end] = (address, flow[f"{end}_port"])
        flow["ends"] = frozenset({flow["client"], flow["server"]})
        yield flow


class Connection(NamedTuple):
    """One line of a Zeek conn.log; what it does not say is None."""

    uid: str
    parents: frozenset[str]
    """The uids of the tunnels around it."""
    protocol: int
    client: End
    server: End
    state: str
    to_server: tuple[int, int]
    """Packets and IP bytes of the originator."""
    to_client: tuple[int, int]
    first: float | None
    """Seconds since the epoch."""
    duration: float

    @property
    def ends(self) -> frozenset[End]:
        return frozenset({self.client, self.server})


_PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17}


def zeek_log(path: Path) -> tuple[Connection, ...]:
    """A conn.log as JSON lines or in Zeek's own format, plain or gzip.

    ICMP ends as ours: the request's type is the server's port, and the client's is left at 0. What
    Zeek calls a port there is a type at the originator and a code at the responder.
    """
    opened = gzip.open if path.suffix == ".gz" else open
    connections, names = [], []
    with opened(path, "rt") as lines:
        for text in lines:
            if text.startswith("{"):
                line = {key.replace("id_", "id."): value for key, value in json.loads(text).items()}
            elif text.startswith("#fields"):
                names = text.rstrip("\n").split("\t")[1:]
                continue
            elif text.startswith("#"):
                continue
            else:
                words = text.rstrip("\n").split("\t")
                line = {k: v for k, v in zip(names, words, strict=True) if v not in ("-", "")}
            connections.append(_connection(line))
    return tuple(connections)


def _connection(line: dict[str, Any]) -> Connection:
    ends = [
        (line[f"id.{end}_h"], int(line[f"id.{end}_p"]))
        if f"id.{end}_h" in line
        else (line[name], int(line[f"{name}_port"]))
        for end, name in (("orig", "src"), ("resp", "dst"))
    ]
    v6 = ":" in ends[0][0]
    protocol = int(line.get("ip_proto") or (58 if v6 and line["proto"] == "icmp" else 0))
    protocol = protocol or _PROTOCOLS[line["proto"]]
    if protocol in (1, 58):
        ends = [(ends[0][0], 0), (ends[1][0], ends[0][1])]
    first = str(line["ts"])
    return Connection(
        line["uid"],
        frozenset(str(line.get("tunnel_parents", "")).split(",")) - {""},
        protocol,
        ends[0],
        ends[1],
        line["conn_state"],
        (int(line["orig_pkts"]), int(line["orig_ip_bytes"])),
        (int(line["resp_pkts"]), int(line["resp_ip_bytes"])),
        None if "X" in first else float(first),
        float(line.get("duration", 0)),
    )
