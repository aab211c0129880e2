"""The corpus: small captures of our own making, a theme each. `python -m fuzz.seeds` writes it."""

from pathlib import Path
from random import Random

import craft

from fuzz import captures, frames

CORPUS = Path(__file__).resolve().parent / "corpus"


def seeds() -> dict[str, bytes]:
    """File name → bytes; the same every time."""
    return {**_links(), **_formats(), **_conversations(), **_tunnels()}


def _links() -> dict[str, bytes]:
    made = {}
    for link in frames.LINKS:
        rng = Random(link)
        packets = [frames.frame(rng, link) for _ in range(6)]
        made[f"link-{link}.pcap"] = craft.pcap(packets, link=link)
    made["link-unknown.pcap"] = craft.pcap([bytes(40)], link=147)
    return made


def _formats() -> dict[str, bytes]:
    rng = Random(1)
    packets = [frames.frame(rng) for _ in range(4)]
    made = {
        f"pcap-{'big' if big else 'little'}-{kind}.pcap": craft.pcap(
            packets, big=big, nano=kind == "nano", modified=kind == "modified"
        )
        for big in (False, True)
        for kind in ("micro", "nano", "modified")
    }
    for big in (False, True):
        rng = Random(2 + big)
        file = captures.new_file(rng)
        while file.head or (file.order == ">") != big:
            file = captures.new_file(rng)
        file.pieces += [captures.new_piece(rng, file) for _ in range(40)]
        made[f"blocks-{'big' if big else 'little'}.pcapng"] = captures.build(file)
    names = craft.Pcapng().section().interface(1, 96, (2, b"eth0"), (9, b"\x09"), (14, bytes(8)))
    names.block(4, b"\1\0\x0a\0\x0a\0\0\1pc-01\0\0\0" + bytes(4))
    for packet in packets:
        names.enhanced(packet).simple(packet).obsolete(packet)
    made["names.pcapng"] = names.block(5, bytes(12)).section().interface(101).data
    made["snaplen.pcap"] = craft.pcap([p[:40] for p in packets], wire=[4000, 60, 1 << 31, 0])
    made["cut.pcap"] = craft.pcap(packets)[:-7]
    made["packed.pcap.gz"] = captures.pack(craft.pcap(packets), "gzip")
    made["members.pcap.gz"] = captures.pack(craft.pcap(packets), "gzip") + captures.pack(
        craft.pcap(packets)[24:], "gzip"
    )
    made["packed.pcapng.zst"] = captures.pack(names.data, "zstd")
    made["bomb.pcap.gz"] = captures.pack(craft.pcap(packets) + bytes(200_000), "gzip")
    made["empty.pcap"] = craft.pcap([])
    return made


def _conversations() -> dict[str, bytes]:
    a, b = frames.HOSTS[:2]
    session = [
        craft.tcp4(a, 40000, b, 445, craft.SYN),
        craft.tcp4(b, 445, a, 40000, craft.SYN | craft.ACK),
        craft.tcp4(a, 40000, b, 445, craft.ACK, b"data"),
        craft.tcp4(b, 445, a, 40000, craft.FIN | craft.ACK),
        craft.tcp4(a, 40000, b, 445, craft.RST),
        craft.tcp4(a, 40000, b, 445, craft.SYN),
    ]
    pieces = [
        craft.ether(craft.ipv4(a, b, 17, bytes(16), ident=9, offset=16)),
        craft.ether(craft.ipv4(a, b, 17, craft.udp(40000, 53), ident=9, more=True)),
        craft.ether(craft.ipv4(a, b, 17, bytes(8), ident=9, offset=32)),
    ]
    quoted = craft.ipv4(a, b, 17, craft.udp(40000, 53))
    refused = [
        craft.ether(quoted),
        craft.ether(craft.ipv4(b, a, 1, craft.icmp(3, 3, data=quoted))),
        craft.ether(craft.ipv4(a, b, 1, craft.icmp(8, ident=3))),
        craft.ether(craft.ipv4(b, a, 1, craft.icmp(0, ident=3))),
    ]
    many = [craft.udp4(a, 1000 + port, b, port) for port in range(40)]
    return {
        "session.pcap": craft.pcap(session),
        "fragments.pcap": craft.pcap(pieces),
        "refused.pcap": craft.pcap(refused),
        "many-flows.pcap": craft.pcap(many),
    }


def _tunnels() -> dict[str, bytes]:
    made = {}
    for number, tunnel in enumerate(frames.TUNNELS):
        rng = Random(number)
        packets = []
        for _ in range(5):
            protocol, body = tunnel(rng, frames.DEPTH - 1)
            packets.append(craft.ether(craft.ipv4(*frames.HOSTS[:2], protocol, body)))
        made[f"tunnel-{number}.pcap"] = craft.pcap(packets)
    nested = [frames.matryoshka(layers) for layers in (2, 8, 9, 20)]
    return made | {"matryoshka.pcap": craft.pcap(nested)}


def write() -> None:
    for name, data in seeds().items():
        (CORPUS / name).write_bytes(data)


if __name__ == "__main__":
    write()
