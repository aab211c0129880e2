"""A small workspace: four hosts, a policy with comments, an inventory with comments."""

from pathlib import Path

from craft import ACK, RST, SYN, pcap, tcp4, udp4

from workbench.session import Session

POLICY = """\
# the shop, drafted by hand
workbench: 1
name: shop
protect:
  db: {}   # the crown jewels
segments:
  web: {match: {role: web}}   # front
  db: {match: {role: db}}
rules:
  # asked for by the shop team
  - {id: web-to-db, from: [web], to: [db], services: [tcp/5432]}
  - {id: old, from: [any], to: [db], services: [tcp/22], expires: 2026-06-30}
"""
INVENTORY = """\
# who is who
workbench: 1
hosts:
  - {name: web-1, addresses: [10.0.0.1], labels: {role: web}}   # rack 4
  - {name: db-1, addresses: [10.0.0.9], labels: {role: db}}
"""
WEB, OTHER, DB = "10.0.0.1", "10.0.0.2", "10.0.0.9"


def opened(client: str, sport: int, server: str, port: int) -> list[bytes]:
    """A TCP connection that works."""
    return [
        tcp4(client, sport, server, port, SYN),
        tcp4(server, port, client, sport, SYN | ACK),
        tcp4(client, sport, server, port, ACK, b"question"),
        tcp4(server, port, client, sport, ACK, b"answer"),
    ]


def refused(client: str, sport: int, server: str, port: int) -> list[bytes]:
    """A TCP connection the server's host resets."""
    return [
        tcp4(client, sport, server, port, SYN),
        tcp4(server, port, client, sport, RST | ACK),
    ]


def traffic() -> bytes:
    """web-1 → db-1 works, 10.0.0.2 → db-1 works on ssh and is refused on 5432, and asks in vain."""
    return pcap(
        [
            *opened(WEB, 40001, DB, 5432),
            *refused(WEB, 40002, DB, 5432),
            *opened(OTHER, 40003, DB, 22),
            *refused(OTHER, 40004, DB, 5432),
            udp4(OTHER, 40005, WEB, 53),
        ]
    )


def site(folder: Path) -> Path:
    """The workspace with its capture loaded; closed again."""
    folder.mkdir(exist_ok=True)
    (folder / "policy.yaml").write_text(POLICY)
    (folder / "inventory.yaml").write_text(INVENTORY)
    (folder / "shop.pcap").write_bytes(traffic())
    with Session.open(folder) as session:
        session.ingest([folder / "shop.pcap"])
    return folder
