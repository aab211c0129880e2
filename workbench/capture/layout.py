"""How the kernel's arrays are laid out: rows of unsigned 64-bit words, one word a field.

Rows keep everything about one packet or flow in one or two cache lines. The kernel modules copy
these numbers into C integers; everyone else imports them from here.
"""

from workbench.model.net import V4_BASE
from workbench.model.traffic import Mark

MIX_1 = 0x9E37_79B9_7F4A_7C15
MIX_2 = 0xBF58_476D_1CE4_E5B9
"""Odd numbers that spread bits where hashes multiply by them: splitmix64's."""

V4_PREFIX = V4_BASE
"""IPv4 addresses are ::ffff:a.b.c.d."""

# A record: one packet as framed by the capture file.
(
    REC_START,
    REC_CAPLEN,
    REC_WIRELEN,
    REC_TIME,
    REC_LINK,
    REC_OFFSET,
    REC_IP,
    REC_MARKS,
) = range(8)
RECORD_WORDS = 8
"""Index into the block's buffer, bytes captured, bytes on the wire, microseconds since the epoch,
link type (the tcpdump group's LINKTYPE numbers), byte offset of the record in the inflated file;
then, from decoding, where the (outermost) IP header begins, or NOT_IP. MARKS are the first marks
of a layer, see there."""
NOT_IP = 1 << 62
ETHERTYPE_LINK = 1 << 40
"""In place of a link type, | an EtherType: what that EtherType says begins here, in the VLAN that
the bits from VLAN_SHIFT on name."""

CUT = 1 << 41
"""In place of a link type: the packet ends before its link header begins."""
MSDU = 1 << 42
"""In place of a link type: one frame of an A-MSDU, from its addresses and length on."""
TO_GROUP = 1 << 43
"""| ETHERTYPE_LINK: the frame was sent to a group."""
COUNTED = 1 << 44
"""In place of a link type: nothing to look into, and counted by reason already."""
WIRELESS = {105, 119, 127, 163, 113, 149, 192, 258, 276}
"""Link types of 802.11: bare, Prism, radiotap, AVS; and of what may be it behind a wrapper."""
WRAPPED = {
    12: (0, 101),
    14: (0, 101),
    228: (0, 101),
    229: (0, 101),
    50: (0, 9),
    51: (6, 9),
    204: (1, 9),
    205: (1, 104),
    206: (1, 107),
    226: (24, 101),
    109: (12, 101),
    10: (13, 100),
    106: (0, 100),
    122: (16, 100),
    123: (4, 100),
    240: (4, 1),
    241: (12, 1),
    259: (8, 1),
    274: (8, 1),
    282: (4, 1),
    285: (0, 1),
}
"""Link types that are some bytes before another: raw IP and PPP by other numbers, PPPoE, a byte for
the direction, Solaris ipnet, OpenBSD encapsulation, FDDI, LLC over ATM and Fibre Channel,
NetAnalyzer, preambles, switch tags."""

INSERTED = {
    0x8903: 14,
    0x8909: 6,
    0x893F: 6,
    0xDADA: 6,
    0x8926: 4,
    0x892F: 4,
    0xF1C1: 4,
}
"""EtherTypes of a few bytes before another EtherType, and how many: Cisco FabricPath (a tag, then
the addresses of the inner frame), Cisco's group tag, 802.1BR's E-tag, Marvell's DSA, a fabric
extender's VN-tag, HSR's, 802.1CB's."""

# A layer: what is still to be decoded of a record, or of the packet inside a tunnel. Its first
# words are those of a record; of TIME and OFFSET only the row needs to know.
(
    LAY_ROW,
    LAY_TUNNEL,
    LAY_SRC_HI,
    LAY_SRC_LO,
    LAY_DST_HI,
    LAY_DST_LO,
    LAY_RECORD,
) = range(RECORD_WORDS, RECORD_WORDS + 7)
LAYER_WORDS = 16
"""Row of the packet; tunnel kind << 32 | key, 0 for a record's own layer; the tunnel's ends; the
record's number."""

# A packet: what one record says about its flow.
(
    PKT_SRC_HI,
    PKT_SRC_LO,
    PKT_DST_HI,
    PKT_DST_LO,
    PKT_WHO,
    PKT_MARKS,
    PKT_PACKETS,
    PKT_BYTES,
    PKT_TIME,
    PKT_OFFSET,
    PKT_IDENT,
    PKT_PATH,
) = range(12)
PACKET_WORDS = 12
"""WHO is protocol << 32 | source port << 16 | destination port. PACKETS is above 1 when fragments
waited for their first one, and 0 for a flow that an ICMP error only quotes. IDENT is 0 but for
fragments: FRAGMENT (and LATER when it is not the first) | identification << 8 | protocol.
PATH is token | time to live << 32 | tunnel << 40, see FLOW_TOKENS."""
FRAGMENT = 1 << 40
LATER = 1 << 41
CARRIER = 1 << 42
"""A first fragment that carries the packet of the row before, to which the later ones belong."""
TTL_SHIFT = 32
TUNNEL_SHIFT = 40
OTHER_TUNNELS = 65535
"""The tunnel number of those that found no room in the list."""

# A flow: A is the end that was seen sending first, B the other one.
(
    FLOW_A_HI,
    FLOW_A_LO,
    FLOW_B_HI,
    FLOW_B_LO,
    FLOW_WHO,
    FLOW_MARKS,
    FLOW_PACKETS_A,
    FLOW_PACKETS_B,
    FLOW_BYTES_A,
    FLOW_BYTES_B,
    FLOW_FIRST,
    FLOW_LAST,
    FLOW_FIRST_OFFSET,
    FLOW_LAST_OFFSET,
    FLOW_TOKENS,
    FLOW_PATH,
) = range(16)
FLOW_WORDS = 16
"""Two cache lines. TOKENS is A's token << 32 | B's: what a packet looks the same by wherever it is
captured, taken from the first packet of each end that has one: the sequence number of a TCP packet
with SYN, the checksum of UDP, ICMP and ICMPv6; 0 is none. PATH is the time to live of A's first
packet | B's << 8 | the tunnel that carried the first packet << 16 (see the decoder; 0 is none)."""

# MARKS: bits 0-7 TCP flags of A, 8-15 of B, 16-27 VLAN id, from 32 the evidence of `Mark`.
# A packet carries its marks as if it came from A.
RESET, CLOSED = 0x0404, 0x0101
"""RST, and FIN, from both ends."""
LEFT = 1 << 63
"""The ports went on as another flow: nothing more can be added to this one."""
VLAN_SHIFT = 16
EVIDENCE_SHIFT = 32
OPEN, ANSWER, LIVE, QUOTED, ABORT, GROUP = (
    mark << EVIDENCE_SHIFT
    for mark in (Mark.OPEN, Mark.ANSWER, Mark.LIVE, Mark.QUOTED, Mark.ABORT, Mark.GROUP)
)

# Tunnels met: the ends as the first packet named them, and what tells its tunnel from others
# between them.
(
    TUN_A_HI,
    TUN_A_LO,
    TUN_B_HI,
    TUN_B_LO,
    TUN_KEY,
    TUN_PACKETS_A,
    TUN_PACKETS_B,
) = range(7)
TUNNEL_WORDS = 8
"""KEY is kind << 32 | key (see TUNNELS); packets that A and B sent and that were counted inside."""
(
    GRE,
    ERSPAN,
    VXLAN,
    VXLAN_GPE,
    GENEVE,
    IP_IN_IP,
    TEREDO,
    GTP_U,
    MPLS,
    L2TP,
    PPTP,
    ETHERIP,
    TZSP,
    CAPWAP,
    OTV,
    LISP,
    GUE,
    FOU,
    LWAPP,
) = range(1, 20)
QUOTE = 255 << 32
"""In place of kind and key: the packet is quoted by an ICMP error."""
PROTOCOL_TUNNELS = 256
"""As a kind, plus an IP protocol number: a layer that tunnel.py has not yet looked into."""
READY = 512
"""| a kind: what is inside begins where the layer begins, and its link type is known."""
TUNNELS = {
    GRE: "GRE",
    ERSPAN: "ERSPAN",
    VXLAN: "VXLAN",
    VXLAN_GPE: "VXLAN-GPE",
    GENEVE: "GENEVE",
    IP_IN_IP: "IP in IP",
    TEREDO: "Teredo",
    GTP_U: "GTP-U",
    MPLS: "MPLS in IP",
    L2TP: "L2TP",
    PPTP: "PPTP",
    ETHERIP: "Ethernet in IP",
    TZSP: "TZSP",
    CAPWAP: "CAPWAP",
    OTV: "OTV",
    LISP: "LISP",
    GUE: "GUE",
    FOU: "FOU",
    LWAPP: "LWAPP",
}
"""Key: GRE key (0 without), ERSPAN session, VNI, TEID (GTP version 0: its flow label), L2TP tunnel
<< 16 | session (version 3: its session), PPTP call, OTV overlay, LISP instance."""
TUNNEL_PORTS = {
    4789: VXLAN,
    8472: VXLAN,  # what Linux used before the port was assigned; OTV as well
    48879: VXLAN,  # Cisco's ACI fabric
    4790: VXLAN_GPE,
    6081: GENEVE,
    3544: TEREDO,
    2152: GTP_U,
    3386: GTP_U,  # version 0
    4754: GRE,
    6635: MPLS,
    1701: L2TP,
    37008: TZSP,
    5247: CAPWAP,
    12222: LWAPP,
    4341: LISP,
    6080: GUE,
    5555: FOU,  # no port is assigned; that of its manual
}

TCP_MARKS = tuple(
    flags | ((ANSWER if flags & 16 else OPEN) if flags & 6 == 2 else 0 if flags & 4 else LIVE)
    for flags in range(256)
)
"""By the flags of a packet: themselves, and what they say of its flow."""
SCTP_MARKS = tuple({1: OPEN, 2: ANSWER, 6: ABORT}.get(chunk, 0) for chunk in range(256))
"""By the type of a packet's first chunk: INIT, INIT ACK, ABORT."""
NO_REQUEST = 255
ICMP_REQUESTS = {
    8: 8, 0: 8, 13: 13, 14: 13, 15: 15, 16: 15, 17: 17, 18: 17,
    256 + 128: 128, 256 + 129: 128, 256 + 139: 139, 256 + 140: 139,
}  # fmt: skip
"""ICMP type (ICMPv6: 256 + type) of a query or its reply → type of the query: echo, timestamp,
information, address mask; echo, node information. Every other message has NO_REQUEST, extended echo
(RFC 8335) as well: firewalls, Linux' conntrack for one, do not let its reply through with it."""

# Interfaces of a capture file.
IF_LINK, IF_PRE, IF_UNITS, IF_OFFSET, IF_SNAPLEN, IF_DROPS = range(6)
INTERFACE_WORDS = 6
"""Link type; a time stamp t is t // PRE // UNITS seconds, plus OFFSET - OFFSET_BIAS seconds. DROPS
is 1 + the packets lost according to the packets that came after, or 0 when none of them says."""
OFFSET_BIAS = 1 << 40

LAST_TIME = 253_402_300_799_999_999
"""9999-12-31T23:59:59.999999Z in microseconds: later time stamps are nonsense and are clamped."""

# Why a record became part of no flow. Numbers from 1536 up are EtherTypes.
(
    NO_BYTES,
    UNKNOWN_LINK,
    CUT_LINK,
    CUT_IP,
    BROKEN_IP,
    CUT_TRANSPORT,
    BROKEN_TRANSPORT,
    LOST_FRAGMENT,
    DEEP,
    STP,
    LLC,
    SNAP,
    PPP_OTHER,
    MPLS_OTHER,
    LOOPBACK_OTHER,
    NO_NEXT,
    MACSEC,
    WIFI_CONTROL,
    WIFI_MANAGEMENT,
    WIFI_EMPTY,
    WIFI_ENCRYPTED,
    WIFI_FRAGMENT,
    FRAME_RELAY_OTHER,
    NSH_OTHER,
) = range(1, 25)
REASONS = {
    NO_BYTES: "no bytes captured",
    CUT_LINK: "cut inside the link header",
    CUT_IP: "cut inside the IP header",
    BROKEN_IP: "broken IP header",
    CUT_TRANSPORT: "cut before the ports",
    BROKEN_TRANSPORT: "broken TCP header",
    LOST_FRAGMENT: "fragment without its first part",
    DEEP: "too many nested headers",
    STP: "STP",
    LLC: "LLC",
    SNAP: "SNAP (CDP and the like)",
    PPP_OTHER: "PPP control",
    MPLS_OTHER: "MPLS without IP",
    LOOPBACK_OTHER: "loopback without IP",
    NO_NEXT: "IPv6 without next header",
    MACSEC: "MACsec, encrypted",
    WIFI_CONTROL: "802.11 control",
    WIFI_MANAGEMENT: "802.11 management",
    WIFI_EMPTY: "802.11 without data",
    WIFI_ENCRYPTED: "802.11, encrypted",
    WIFI_FRAGMENT: "802.11, later fragment",
    FRAME_RELAY_OTHER: "frame relay without IP",
    NSH_OTHER: "NSH without IP",
}
