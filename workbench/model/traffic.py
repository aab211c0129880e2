"""What was recorded: captures, flows, conversations, hosts.

Bulk data are numpy columns (one array a column, equal lengths); single items are frozen values.
The *port* of a conversation is the server's port for TCP, UDP and SCTP, the message type for ICMP
and ICMPv6, and 0 for protocols without ports.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.model.net import format_address, service_text
from workbench.model.recording import NO_RECORDING, Ending, Recording, Tunnel


class Outcome(IntEnum):
    """What the network did with a flow."""

    ESTABLISHED = 1
    """Answered: TCP handshake completed; UDP, SCTP, ICMP or other traffic seen both ways."""
    REFUSED = 2
    """RST to a SYN, or an ICMP unreachable that quotes the flow."""
    UNANSWERED = 3
    """The client asked, nobody answered."""
    ONE_WAY = 4
    """One direction of a live flow (asymmetric capture, or a service that never answers)."""
    MID_STREAM = 5
    """Both directions of a TCP flow whose opening was not captured."""

    @property
    def text(self) -> str:
        return self.name.lower().replace("_", "-")


class Direction(IntEnum):
    """Why we believe who is the client. A larger value is stronger evidence."""

    FIRST = 1
    """Who spoke first; or, of a TCP flow caught in the middle, the end whose port is not one that
    systems give to clients serves. Nothing better was seen: the direction counts as unknown."""
    DEGREE = 2
    """The server's port has several clients."""
    WELL_KNOWN = 3
    """Exactly one side uses a registered server port."""
    HINT = 4
    """The user's services say so."""
    SYN = 5
    """SYN or SYN-ACK seen (or the request half of ICMP, or SCTP INIT)."""

    @property
    def text(self) -> str:
        return self.name.lower().replace("_", "-")


SEVERAL_CLIENTS = 2
"""What a server's port has at least for the `degree` evidence."""


class TcpFlag(IntEnum):
    """RFC 9293 section 3.1 control bits, the low byte."""

    FIN = 0x01
    SYN = 0x02
    RST = 0x04
    PSH = 0x08
    ACK = 0x10


class Mark(IntEnum):
    """Bits of a flow's `marks`: the evidence as it was seen, so that it can be judged again.

    Each for the end that spoke first; one bit higher for the other end.
    """

    OPEN = 1 << 0
    """SYN, ICMP request, SCTP INIT: this end is the client."""
    ANSWER = 1 << 2
    """SYN-ACK, ICMP reply, SCTP INIT ACK: this end is the server."""
    LIVE = 1 << 4
    """A TCP packet that neither opens nor resets."""
    QUOTED = 1 << 6
    """An ICMP unreachable quotes a packet that this end sent."""
    ABORT = 1 << 8
    """SCTP ABORT."""
    GROUP = 1 << 10
    """Sent to many: a broadcast or multicast frame."""
    SERVER_FIRST = 1 << 15
    """The server spoke first: the first of each pair of bits is the server's."""


FLOW_DTYPES: Mapping[str, Any] = {
    "client_hi": np.uint64,  # upper and lower 64 bits of the address
    "client_lo": np.uint64,
    "server_hi": np.uint64,
    "server_lo": np.uint64,
    "protocol": np.uint8,  # IANA number
    "client_port": np.uint16,  # TCP, UDP, SCTP; ICMP echo identifier; else 0
    "server_port": np.uint16,  # see the module's first paragraph
    "packets_to_server": np.uint64,
    "packets_to_client": np.uint64,
    "bytes_to_server": np.uint64,  # IP-layer bytes: IP header and everything behind it
    "bytes_to_client": np.uint64,
    "first_us": np.int64,  # microseconds since the Unix epoch, UTC
    "last_us": np.int64,
    "outcome": np.uint8,  # Outcome
    "direction": np.uint8,  # Direction: the evidence
    "flags_to_server": np.uint8,  # union of the TCP flags seen, TcpFlag
    "flags_to_client": np.uint8,
    "vlan": np.uint16,  # outermost VLAN id of the first packet, 0 for none
    "first_offset": np.uint64,  # byte offset of the first packet's record in the inflated file
    "last_offset": np.uint64,  # byte offset of the last packet's record
    "client_token": np.uint32,  # what the client's first packet looks like from everywhere: its
    "server_token": np.uint32,  # TCP sequence number (SYN only) or UDP, ICMP checksum; 0 unknown
    "client_ttl": np.uint8,  # time to live (hop limit) of each end's first packet; 0 unknown
    "server_ttl": np.uint8,
    "tunnel": np.uint16,  # number of the tunnel that carried it, in its capture; 0 for none
    "marks": np.uint16,  # what was seen of each end, see Mark
}
"""Column name → dtype of a batch of flows, in table order."""

PAIRS: Mapping[str, str] = {
    "client_hi": "server_hi",
    "client_lo": "server_lo",
    "client_port": "server_port",
    "packets_to_server": "packets_to_client",
    "bytes_to_server": "bytes_to_client",
    "flags_to_server": "flags_to_client",
    "client_token": "server_token",
    "client_ttl": "server_ttl",
}
"""Columns that change places when a flow turns around."""

LINGER = 60_000_000
"""Microseconds of silence after which a flow is over: a TCP flow once it was closed by both ends or
reset, all others always."""

FlowColumns = Mapping[str, NDArray[Any]]
"""One array per name of FLOW_DTYPES, all of one length: what capture hands to the store."""


@dataclass(frozen=True, slots=True)
class CaptureReport:
    """One capture file, and everything it lacked."""

    path: str
    """As the user gave it, resolved to an absolute path; not absolute is what was read once and is
    no file: `-` for standard input, `pipe (fd 63)`."""
    format: str
    """pcap, pcapng, or `pcap (gzip)` and the like."""
    size: int
    """Bytes on disk."""
    fingerprint: str
    """Equal for equal files: hex digest over size and samples of the content."""
    packets: int
    """Records read."""
    decoded: int
    """Packets that became part of a flow."""
    skipped: Mapping[str, int]
    """Reason in words → records left out, for example `ARP` or `link type 147 unknown`."""
    truncated_packets: int
    """Packets captured shorter than they were on the wire (snap length)."""
    snaplen: int
    """Largest snap length the file declares, bytes; 0 for unlimited or unknown."""
    link_types: tuple[str, ...]
    """Names of the interfaces' link types, each once."""
    interfaces: int
    first_us: int | None
    """Microseconds since the epoch of the earliest packet; None without packets, or times."""
    last_us: int | None
    wire_bytes: int
    """Sum of the lengths on the wire."""
    flows: int
    """Each once in a store; before, one that an earlier reading began counts again."""
    problems: tuple[str, ...] = ()
    """One line each: cut short at byte N, bad block, …"""
    recording: Recording = NO_RECORDING
    """What its records say about their own making."""
    drops: int | None = None
    """Packets that the recorder says it lost; None where the file does not say."""
    names: int = 0
    """Host names that the file itself brings (pcapng name resolution)."""
    tunnels: tuple[Tunnel, ...] = ()
    """What carried packets inside packets; a flow's `tunnel` is a number in it, from 1."""
    ending: Ending = Ending.COMPLETE
    state: str = ""
    """How to read on where this reading stopped (JSON of the reader's own); empty where nothing can
    follow."""
    in_pieces: bool = False
    """Flows may lie in several rows: they were more than are held at once, or the clock jumped."""
    host_names: Mapping[int, str] = field(default_factory=dict)
    """Address → the name that the file gives it; safe to show."""
    id: int | None = None
    """Number in the store; None before it is stored."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a long job is."""

    label: str
    done: int
    """Bytes (or items) so far."""
    total: int
    """0 when unknown."""
    packets: int = 0
    elapsed: float = 0.0
    """Seconds since the job began."""

    @property
    def fraction(self) -> float:
        return min(1.0, self.done / self.total) if self.total else 0.0

    @property
    def seconds_left(self) -> float | None:
        """None until there is something to estimate from."""
        if not self.total or not self.done or self.elapsed <= 0:
            return None
        return max(0.0, self.elapsed * (self.total - self.done) / self.done)


Tell = Callable[[Progress], None] | None
"""Told how far a long job is, where anybody wants to know."""
Stop = Callable[[], bool] | None
"""Asked again and again by a long job; where it says yes, the job ends with Cancelled."""


def time_of(microseconds: int) -> datetime:
    """UTC, without saying so; clamped to years 1 to 9999."""
    limit = 253_402_300_799_999_999  # 9999-12-31T23:59:59.999999Z
    clamped = max(-62_135_596_800_000_000, min(microseconds, limit))
    return datetime(1970, 1, 1) + timedelta(microseconds=clamped)


def format_time(microseconds: int) -> str:
    """RFC 3339, UTC, microseconds: `2026-03-31T14:02:09.000123Z`; clamped to years 1 to 9999."""
    return f"{time_of(microseconds).isoformat(timespec='microseconds')}Z"


@dataclass(frozen=True, slots=True)
class Flow:
    """The packets of one 5-tuple between two endpoints, both ways."""

    id: int
    capture: int
    client: int
    """Address as a number, see model.net."""
    server: int
    protocol: int
    client_port: int
    server_port: int
    packets_to_server: int
    packets_to_client: int
    bytes_to_server: int
    bytes_to_client: int
    first_us: int
    last_us: int
    outcome: Outcome
    direction: Direction
    flags_to_server: int
    flags_to_client: int
    vlan: int
    first_offset: int
    last_offset: int
    client_token: int = 0
    server_token: int = 0
    client_ttl: int = 0
    server_ttl: int = 0
    tunnel: int = 0
    marks: int = 0

    @property
    def service(self) -> str:
        return service_text(self.protocol, self.server_port)


@dataclass(frozen=True, slots=True)
class Conversation:
    """All flows with the same client host, server host, protocol and port: what a policy judges."""

    client: int
    """Address as a number."""
    server: int
    protocol: int
    port: int
    client_port_low: int = 0
    """Smallest client port seen; with `client_port_high` it bounds the reverse reading."""
    client_port_high: int = 65535
    flows: int = 0
    packets: int = 0
    bytes: int = 0
    first_us: int = 0
    last_us: int = 0
    outcome: Outcome = Outcome.ESTABLISHED
    """The best thing that happened: one established flow makes it established."""
    direction: Direction = Direction.SYN
    """The strongest evidence among its flows."""

    @property
    def service(self) -> str:
        return service_text(self.protocol, self.port)

    def __str__(self) -> str:
        return f"{format_address(self.client)} → {format_address(self.server)} {self.service}"


CONVERSATION_DTYPES: Mapping[str, Any] = {
    "client": np.int32,  # host index, see HostTable
    "server": np.int32,
    "protocol": np.uint8,
    "port": np.uint16,
    "client_port_low": np.uint16,
    "client_port_high": np.uint16,
    "flows": np.int64,
    "packets": np.int64,
    "bytes": np.int64,
    "first_us": np.int64,
    "last_us": np.int64,
    "outcome": np.uint8,
    "direction": np.uint8,
}


@dataclass(frozen=True)
class HostTable:
    """Every host seen or listed; its index is the host's number everywhere."""

    addresses: tuple[int, ...]
    """By host index. Seen hosts first, in store order; hosts only listed follow."""
    seen: int = 0
    """How many of them appear in traffic."""

    def __len__(self) -> int:
        return len(self.addresses)

    @cached_property
    def index(self) -> dict[int, int]:
        """Address → host index."""
        return {address: at for at, address in enumerate(self.addresses)}

    @cached_property
    def by_address(self) -> tuple[tuple[int, ...], NDArray[np.int64]]:
        """Addresses in ascending order, and the host index of each."""
        order = sorted(range(len(self.addresses)), key=self.addresses.__getitem__)
        return tuple(self.addresses[at] for at in order), np.array(order, dtype=np.int64)

    @cached_property
    def rank(self) -> NDArray[np.int64]:
        """By host index: its place among all addresses; numbers depend on the order of loads."""
        return np.argsort(self.by_address[1])


@dataclass(frozen=True)
class ConversationTable:
    """Conversations as columns (CONVERSATION_DTYPES), sorted by protocol, port, client, server."""

    hosts: HostTable
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if set(self.columns) != set(CONVERSATION_DTYPES):
            raise ValueError(f"expected the columns {sorted(CONVERSATION_DTYPES)}")

    @classmethod
    def empty(cls, hosts: HostTable = HostTable(())) -> "ConversationTable":
        return cls(hosts, {name: np.empty(0, kind) for name, kind in CONVERSATION_DTYPES.items()})

    def __len__(self) -> int:
        return len(self.columns["client"])

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.columns[name]

    def find(self, client: int, server: int, protocol: int, port: int) -> int | None:
        """The row of a conversation, its ends by address; None if it was never seen."""
        index, names = self.hosts.index, ("client", "server", "protocol", "port")
        key = index.get(client, -1), index.get(server, -1), protocol, port
        same = [self[name] == value for name, value in zip(names, key, strict=True)]
        rows = np.flatnonzero(np.logical_and.reduce(same))
        return int(rows[0]) if len(rows) else None

    def at(self, row: int) -> Conversation:
        """Row `row` as a value."""
        value = {name: int(column[row]) for name, column in self.columns.items()}
        value["client"] = self.hosts.addresses[value["client"]]
        value["server"] = self.hosts.addresses[value["server"]]
        outcome, direction = Outcome(value.pop("outcome")), Direction(value.pop("direction"))
        return Conversation(**value, outcome=outcome, direction=direction)
