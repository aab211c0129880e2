"""Any capture's conversations as tshark and as we see them: packets and bytes each way, and when.

    python tests/against_tshark.py CAPTURE [CAPTURE ...]

For captures that the tests do not have. TCP, UDP and SCTP, innermost, as tshark takes it without
reassembling streams. Left out: what an ICMP error quotes, and conversations with fragments, source
routes or equal ends, which tshark counts in other ways. A packet in a tunnel that only one of the
two recognises counts to the flow inside for the one and to the flow outside for the other.
"""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from truth import End, load

from workbench.model.errors import CaptureError
from workbench.model.net import format_address, parse_address

_ENDS = {"tcp": ("tcp.srcport", "tcp.dstport"), "udp": ("udp.srcport", "udp.dstport"),
         "sctp": ("sctp.srcport", "sctp.dstport")}  # fmt: skip
_NETWORK = {"ip": ("ip.src", "ip.dst", "ip.len"), "ipv6": ("ipv6.src", "ipv6.dst", "ipv6.plen")}
_FIELDS = (
    *("frame.protocols", "frame.time_epoch", "ip.flags.mf", "ip.frag_offset"),
    *(name for names in (*_NETWORK.values(), *_ENDS.values()) for name in names),
)
_NUMBERS = {6: "tcp", 17: "udp", 132: "sctp"}
_V6_HEADER = 40
"""Bytes that `ipv6.plen` leaves out, RFC 8200 section 3."""

Key = tuple[str, End, End]
"""Protocol, and the two ends in ascending order."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of one conversation; of each pair of figures, the lower end sent the first."""

    packets: tuple[int, int]
    bytes: tuple[int, int]
    """Of IP packets."""
    first_us: int
    last_us: int

    def __add__(self, other: "Seen") -> "Seen":
        return Seen(
            (self.packets[0] + other.packets[0], self.packets[1] + other.packets[1]),
            (self.bytes[0] + other.bytes[0], self.bytes[1] + other.bytes[1]),
            min(self.first_us, other.first_us),
            max(self.last_us, other.last_us),
        )


Row = Mapping[str, list[str]]
Conversations = dict[Key, Seen]


def differences(path: Path) -> list[str]:
    """One line for each conversation that is not the same. Raises CaptureError."""
    theirs, left_out = by_tshark(path)
    ours = by_us(path)
    return [
        f"{_told(key)}: tshark {theirs.get(key)}, ours {ours.get(key)}"
        for key in sorted(theirs.keys() | ours.keys())
        if theirs.get(key) != ours.get(key) and key not in left_out and key[1] != key[2]
    ]


def by_us(path: Path) -> Conversations:
    """Our flows, added up. Raises CaptureError."""
    found: Conversations = {}
    for flow in load(path)[1]:
        if flow["protocol"] not in _NUMBERS:
            continue
        low, high = sorted((flow["client"], flow["server"]), key=_place)
        ways = ("to_server", "to_client") if low == flow["client"] else ("to_client", "to_server")
        packets, size = ([flow[f"{what}_{way}"] for way in ways] for what in ("packets", "bytes"))
        seen = Seen((packets[0], packets[1]), (size[0], size[1]), flow["first_us"], flow["last_us"])
        key = (_NUMBERS[flow["protocol"]], low, high)
        found[key] = found[key] + seen if key in found else seen
    return found


def by_tshark(path: Path) -> tuple[Conversations, set[Key]]:
    """Its packets, added up; and the conversations that it counts in another way."""
    found: Conversations = {}
    left_out: set[Key] = set()
    for row in _rows(path):
        layers = row["frame.protocols"][0].split(":")
        if "icmp" in layers or "icmpv6" in layers:
            continue
        read = _packet(row, layers)
        if read is None:
            continue
        key, seen = read
        found[key] = found[key] + seen if key in found else seen
        pieces = {"1", "True"} & set(row["ip.flags.mf"]) or set(row["ip.frag_offset"]) - {"", "0"}
        routed = len(row["ipv6.dst"]) > max(layers.count("ipv6"), 1)
        if pieces or routed or "ipv6.fraghdr" in layers:
            left_out.add(key)
    return found, left_out


def _rows(path: Path) -> Iterator[Row]:
    chosen = (word for name in _FIELDS for word in ("-e", name))
    shape = ("-T", "fields", "-E", "occurrence=a", "-E", "aggregator=;", "-E", "separator=/t")
    command = ("tshark", "-n", "-r", str(path), "-o", "tcp.desegment_tcp_streams:FALSE")
    run = subprocess.run((*command, *shape, *chosen), capture_output=True, text=True, check=False)
    for line in run.stdout.splitlines():
        values = (value.split(";") for value in line.split("\t"))
        yield dict(zip(_FIELDS, values, strict=True))


def _packet(row: Row, layers: list[str]) -> tuple[Key, Seen] | None:
    """The innermost transport of a packet and what carries it; None where there is none."""
    at = max((at for at, layer in enumerate(layers) if layer in _ENDS), default=0)
    around = [layer for layer in layers[:at] if layer in _NETWORK]
    if not around:
        return None
    source, target, length = (row[name] for name in _NETWORK[around[-1]])
    ports = [row[name] for name in _ENDS[layers[at]]]
    network, transport = around.count(around[-1]) - 1, layers[:at].count(layers[at])
    try:
        ends = [
            (format_address(parse_address(addresses[network])), int(numbers[transport]))
            for addresses, numbers in zip((source, target), ports, strict=True)
        ]
        size = int(length[network], 0) + _V6_HEADER * (around[-1] == "ipv6")
    except (IndexError, ValueError):  # cut within its header
        return None
    seconds, _, part = row["frame.time_epoch"][0].partition(".")
    time = int(seconds) * 1_000_000 + int(part[:6].ljust(6, "0"))
    low, high = sorted(ends, key=_place)
    turned = ends[0] != low
    packets, total = ((0, 1), (0, size)) if turned else ((1, 0), (size, 0))
    return (layers[at], low, high), Seen(packets, total, time, time)


def _place(end: End) -> tuple[int, int]:
    return parse_address(end[0]), end[1]


def _told(key: Key) -> str:
    protocol, *ends = key
    return f"{protocol} " + " – ".join(f"{address} {port}" for address, port in ends)


def main() -> None:
    same = 0
    for name in sys.argv[1:]:
        try:
            lines = differences(Path(name))
        except CaptureError as error:
            lines = [str(error)]
        same += not lines
        for line in lines:
            print(f"{name}: {line}")
    print(f"{same:,} of {len(sys.argv) - 1:,} captures are the same")


if __name__ == "__main__":
    main()
