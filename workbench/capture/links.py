"""Names for what a capture carries: link types and EtherTypes.

Sources: the tcpdump group's LINKTYPE list; the IEEE EtherType registry.
"""

LINK_TYPES = {
    0: "BSD loopback",
    1: "Ethernet",
    6: "token ring",
    9: "PPP",
    12: "raw IP",
    14: "raw IP",
    50: "PPP over HDLC",
    101: "raw IP",
    105: "802.11",
    107: "frame relay",
    108: "OpenBSD loopback",
    113: "Linux cooked v1",
    119: "802.11 with Prism",
    127: "802.11 with radiotap",
    147: "user 0",
    149: "USB DARWIN",
    186: "USB",
    187: "Bluetooth",
    189: "USB Linux",
    195: "802.15.4",
    201: "Bluetooth with direction",
    220: "USB Linux, padded",
    226: "Solaris ipnet",
    227: "CAN",
    228: "IPv4",
    229: "IPv6",
    231: "D-Bus",
    239: "NFLOG",
    242: "IP over InfiniBand",
    249: "USBPcap",
    252: "exported PDUs",
    253: "netlink",
    271: "vsock",
    276: "Linux cooked v2",
}
ETHERTYPES = {
    0x0806: "ARP",
    0x0842: "wake-on-LAN",
    0x2000: "CDP",
    0x22F0: "AVTP",
    0x22F3: "TRILL",
    0x6002: "DEC MOP",
    0x8035: "RARP",
    0x809B: "AppleTalk",
    0x8137: "IPX",
    0x876B: "TCP/IP compression",
    0x8808: "Ethernet flow control",
    0x8809: "LACP and slow protocols",
    0x8863: "PPPoE discovery",
    0x886D: "Intel ANS",
    0x8870: "jumbo frame",
    0x887B: "HomePlug",
    0x888E: "EAPOL",
    0x8892: "PROFINET",
    0x8899: "Realtek loop detection",
    0x88A2: "ATA over Ethernet",
    0x88A4: "EtherCAT",
    0x88AB: "Ethernet POWERLINK",
    0x88B8: "GOOSE",
    0x88BA: "IEC 61850 sampled values",
    0x88CC: "LLDP",
    0x88CD: "SERCOS III",
    0x88E1: "HomePlug AV",
    0x88E3: "MRP",
    0x88E5: "MACsec",
    0x88E7: "provider backbone bridging",
    0x88F7: "PTP",
    0x88FB: "PRP",
    0x8902: "CFM",
    0x8906: "FCoE",
    0x8914: "FCoE initialization",
    0x8915: "RoCE",
    0x892F: "HSR",
    0x893F: "802.1BR E-tag",
    0x894F: "NSH",
    0x9000: "loopback test",
}


def link_name(link: int) -> str:
    """`Ethernet`, or `link type 999`."""
    return LINK_TYPES.get(link, f"link type {link}")


def unknown_link(link: int) -> str:
    """Why records of a link type were left out: `link type 147 (user 0)`."""
    name = LINK_TYPES.get(link)
    return f"link type {link} ({name})" if name else f"link type {link}"


def ethertype_name(kind: int) -> str:
    """`ARP`, or `EtherType 0x1234`."""
    return ETHERTYPES.get(kind, f"EtherType {kind:#06x}")
