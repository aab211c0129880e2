"""A gateway in a throw-away namespace: run as a program under `unshare -rn`, never imported.

Reads one JSON object from stdin: `ruleset` (nft text) and `packets`, a list of
[source, destination, protocol, port] with addresses in hex (8 digits IPv4, 32 IPv6). Writes one
JSON object: `unasked` (why nothing could be asked, or empty), `load` (nft's message, empty when it
loaded, twice), `listing`, `trouble` (why packets were not sent, or empty) and `fates`, one letter a
packet: a accepted with its replies, d dropped, r accepted but the reply is dropped, n not sent.
Only the standard library, Linux only.

One tun device routes back to itself. Writing a packet runs prerouting, forward and postrouting at
once; reading then yields the packet, or nothing when it was dropped.
"""

import fcntl
import json
import os
import select
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

TUNSETIFF = 0x400454CA  # linux/if_tun.h
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
ICMP, TCP, UDP, ICMPV6, SCTP = 1, 6, 17, 58, 132
PORTED = (TCP, UDP, SCTP)
PATIENCE = 0.05
"""Seconds of silence after which nothing more is on its way."""
TOO_LONG = "Message too long"
"""One transaction is one netlink message, which net.core.wmem_max bounds for all but root."""
SETTINGS = {
    "ipv4/ip_forward": "1",
    "ipv4/icmp_ratelimit": "0",
    "ipv4/conf/all/rp_filter": "0",
    "ipv4/conf/default/rp_filter": "0",
    "ipv4/conf/all/send_redirects": "0",
    "ipv4/conf/default/send_redirects": "0",
    "ipv6/conf/all/disable_ipv6": "0",
    "ipv6/conf/all/forwarding": "1",
    "ipv6/conf/default/accept_dad": "0",
}
UNSENT = {ICMP: (), ICMPV6: (), 4: {0, 33, 136}, 6: {0, 33, 43, 44, 50, 51, 59, 60, 135, 136, 139}}
"""By IP version, protocols that need more than a plain payload to be no broken packet."""
REPLIES = {(ICMP, 8): 0, (ICMP, 13): 14, (ICMP, 17): 18, (ICMPV6, 128): 129}
"""Request type → reply type."""


def _crc_table() -> list[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


CRC = _crc_table()


def crc32c(data: bytes) -> int:
    """SCTP's checksum (RFC 9260 appendix A)."""
    value = 0xFFFFFFFF
    for byte in data:
        value = value >> 8 ^ CRC[(value ^ byte) & 255]
    return value ^ 0xFFFFFFFF


def checksum(data: bytes) -> int:
    """The internet checksum (RFC 1071)."""
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Packet:
    """One packet, and the answer to it."""

    def __init__(self, source: bytes, target: bytes, protocol: int, port: int, number: int) -> None:
        self.source, self.target, self.protocol, self.port = source, target, protocol, port
        self.number = number
        """Client port or ICMP identifier: 1 to 65535."""

    def first(self) -> bytes:
        return self._ip(self.source, self.target, self._payload(reply=False))

    def reply(self) -> bytes | None:
        """None for a message that has no answer."""
        if self.protocol in (ICMP, ICMPV6) and (self.protocol, self.port) not in REPLIES:
            return None
        return self._ip(self.target, self.source, self._payload(reply=True))

    def _payload(self, *, reply: bool) -> bytes:
        pair = (self.port, self.number) if reply else (self.number, self.port)
        ports = struct.pack("!HH", *pair)
        ends = (self.target, self.source) if reply else (self.source, self.target)
        if self.protocol == TCP:
            sequence, ack, flags = (5000, 1001, 0x12) if reply else (1000, 0, 0x02)
            head = struct.pack("!IIBBHHH", sequence, ack, 0x50, flags, 8192, 0, 0)
            return self._summed(ports + head, 16, ends)
        if self.protocol == UDP:
            return self._summed(ports + struct.pack("!HH", 16, 0) + b"workbenc", 6, ends)
        if self.protocol == SCTP:
            chunk = struct.pack("!BBHIIHHI", 2 if reply else 1, 0, 20, 77, 65535, 1, 1, 9)
            head = ports + struct.pack("!II", 77 if reply else 0, 0)
            return head[:8] + struct.pack("<I", crc32c(head + chunk)) + chunk
        if self.protocol in (ICMP, ICMPV6):
            kind = REPLIES[self.protocol, self.port] if reply else self.port
            body = struct.pack("!BBHHH", kind, 0, 0, self.number, 1) + bytes(16)
            return self._summed(body, 2, ends if self.protocol == ICMPV6 else None)
        return struct.pack("!IHH", 0, self.number, 0) + bytes(24)

    def _summed(self, data: bytes, at: int, ends: tuple[bytes, bytes] | None) -> bytes:
        """Put the checksum in, over the pseudo header unless it is plain ICMP (RFC 8200, 8.1)."""
        pseudo = b""
        if ends:
            pseudo = b"".join(ends) + struct.pack("!IHBB", len(data), 0, 0, self.protocol)
        found = checksum(pseudo + data)
        if self.protocol == UDP:
            found = found or 0xFFFF
        return data[:at] + struct.pack("!H", found) + data[at + 2 :]

    def _ip(self, source: bytes, target: bytes, payload: bytes) -> bytes:
        if len(source) == 16:
            head = struct.pack("!IHBB", 0x60000000, len(payload), self.protocol, 64)
            return head + source + target + payload
        head = struct.pack(
            "!BBHHHBBH", 0x45, 0, 20 + len(payload), self.number, 0, 64, self.protocol, 0
        )
        whole = head + source + target
        return whole[:10] + struct.pack("!H", checksum(whole)) + whole[12:] + payload


class Gateway:
    """The tun device and what comes out of it."""

    def __init__(self) -> None:
        for name, value in SETTINGS.items():
            path = Path("/proc/sys/net", name)
            if path.exists() or name.startswith("ipv4"):
                path.write_text(value)
        self.tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(self.tun, TUNSETIFF, struct.pack("16sH", b"gate", IFF_TUN | IFF_NO_PI))
        for words in (
            ["link", "set", "lo", "up"],
            ["link", "set", "gate", "addrgenmode", "none"],
            ["link", "set", "gate", "up"],
            ["route", "add", "default", "dev", "gate"],
            ["-6", "route", "add", "default", "dev", "gate"],
        ):
            subprocess.run(["ip", *words], check=True, capture_output=True, timeout=10)
        self.seen: set[bytes] = set()
        """Packets that came out, from the addresses on: TTL and header checksum change."""

    def drain(self) -> None:
        """Take what has come out. Mostly at once; a busy queue may hold a packet back."""
        while True:
            try:
                self.seen.add(self.core(os.read(self.tun, 65535)))
            except BlockingIOError:
                return

    @staticmethod
    def core(packet: bytes) -> bytes:
        return packet[12:] if packet[0] >> 4 == 4 else packet[8:]

    def passed(self, packets: list[bytes]) -> list[bool]:
        """Write the packets one by one; which came out again, addresses and payload untouched?"""
        for packet in packets:
            os.write(self.tun, packet)
            self.drain()
        while select.select([self.tun], [], [], PATIENCE)[0]:
            self.drain()
        return [self.core(packet) in self.seen for packet in packets]


def fates(wanted: list[tuple[str, str, int, int]]) -> str:
    """One letter a packet. First all openings are sent, then the replies to those that passed."""
    gateway = Gateway()
    packets = list(distinct(wanted))
    sent = [packet for packet in packets if packet]
    passed = dict(zip(sent, gateway.passed([packet.first() for packet in sent]), strict=True))
    replies = {packet: reply for packet in sent if passed[packet] and (reply := packet.reply())}
    returned = dict(zip(replies, gateway.passed(list(replies.values())), strict=True))
    return "".join(
        "n" if not packet else "d" if not passed[packet] else "ra"[returned.get(packet, True)]
        for packet in packets
    )


def distinct(wanted: list[tuple[str, str, int, int]]) -> Iterator[Packet | None]:
    """Packets of which each is a new flow to conntrack; None for one that cannot be made.

    The client's port (or ICMP identifier) is chosen so that no packet looks like a reply to
    another. Protocols without ports have one flow for each pair of hosts.
    """
    used = set()
    for at, (source, target, protocol, port) in enumerate(wanted):
        ends = bytes.fromhex(source), bytes.fromhex(target)
        number = 1 + (20000 + at) % 65535
        while (key := flow(ends, protocol, port, number)) in used and protocol in PORTED:
            number = 1 + number % 65535
        if key in used or protocol in UNSENT[4 if len(ends[0]) == 4 else 6]:
            yield None
            continue
        used.add(key)
        yield Packet(*ends, protocol, port, number)


def flow(ends: tuple[bytes, bytes], protocol: int, port: int, number: int) -> tuple[object, ...]:
    """What conntrack tells flows apart by, the same for both directions."""
    if protocol in PORTED:
        return (protocol, *sorted([(ends[0], number), (ends[1], port)]))
    if protocol in (ICMP, ICMPV6):
        return (protocol, number, port, *ends)
    return (protocol, *sorted(ends))


def nft(*words: str, text: str = "") -> subprocess.CompletedProcess[str]:
    """Run nft on the namespace's own tables."""
    return subprocess.run(
        ["nft", *words], input=text, capture_output=True, text=True, timeout=300, check=False
    )


def main() -> None:
    """The program: see the first lines of this file."""
    request = json.load(sys.stdin)
    loaded = nft("-f", "-", text=request["ruleset"])
    answer = {"unasked": "", "load": "", "listing": "", "trouble": "", "fates": ""}
    if loaded.returncode:
        reason = "unasked" if TOO_LONG in loaded.stderr else "load"
        answer[reason] = loaded.stderr.strip() or f"nft ended with {loaded.returncode}"
        json.dump(answer, sys.stdout)
        return
    again = nft("-f", "-", text=request["ruleset"])
    answer["load"] = again.stderr.strip()
    answer["listing"] = nft("-s", "-p", "list", "ruleset").stdout  # -p: names differ by machine
    try:
        answer["fates"] = fates(request["packets"]) if request["packets"] else ""
    except (OSError, subprocess.SubprocessError) as error:
        answer["trouble"] = str(error)
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
