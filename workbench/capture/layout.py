"""How the kernel's arrays are laid out: rows of unsigned 64-bit words, one word a field.

Rows keep everything about one packet or flow in one or two cache lines. The kernel modules copy
these numbers into C integers; everyone else imports them from here.
"""

from workbench.model.traffic import Mark

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
then, from the link kernel, where the IP header begins (or NOT_IP) and the first marks."""
NOT_IP = 1 << 62

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
TTL_SHIFT = 32
TUNNEL_SHIFT = 40

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
VLAN_SHIFT = 16
EVIDENCE_SHIFT = 32
OPEN, ANSWER, LIVE, QUOTED, ABORT, GROUP = (
    mark << EVIDENCE_SHIFT
    for mark in (Mark.OPEN, Mark.ANSWER, Mark.LIVE, Mark.QUOTED, Mark.ABORT, Mark.GROUP)
)

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
) = range(1, 18)
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
}
