"""Sites and policies that the export tests render, and ways to look at what comes out."""

import json
import os
import subprocess
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

from workbench.model.net import parse_address
from workbench.model.policy import ResolvedPolicy
from workbench.model.site import Host, Inventory, Pod, labels_of
from workbench.policy import load_policy, resolve

GOLDEN = Path(__file__).resolve().parent / "golden"
ON = date(2026, 3, 31)


def host(name: str, *addresses: str, **labels: str) -> Host:
    return Host(name, tuple(map(parse_address, addresses)), labels_of(labels))


def pod(namespace: str, name: str, addresses: str, **labels: str) -> Host:
    """A pod whose workbench labels are its Kubernetes labels; `__` in a key stands for `/`."""
    own = labels_of({key.replace("__", "/"): value for key, value in labels.items()})
    return Host(
        name,
        tuple(map(parse_address, addresses.split())),
        labels_of(labels),
        Pod(namespace, name, own),
    )


OFFICE_SITE = Inventory(
    (
        host("pc-01", "10.1.0.11", "fd00:1::11", role="pc"),
        host("pc-02", "10.1.0.12", "fd00:1::12", role="pc"),
        host('admin "root"', "10.9.0.5", role="admin"),
        host("web-1", "10.2.0.10", "fd00:2::10", role="web"),
        host("web-2", "10.2.0.11", "fd00:2::11", role="web"),
        host("db-1", "10.3.0.5", role="db"),
        host("log-1", "fd00:4::5", role="log"),
        host("plc-1", "10.8.0.1", role="plc"),
        host("plc-2", "10.8.0.2", role="plc"),
        host("hmi-1", "10.8.1.1", role="hmi"),
    )
)
SHOP = Inventory(
    (
        pod("shop", "cart-6b9-x1", "10.42.1.7 fd00:42::7", app="cart", tier="front"),
        pod("shop", "cart-6b9-x2", "10.42.1.8 fd00:42::8", app="cart", tier="front"),
        pod("shop", "pay-7c1-y1", "10.42.1.9 fd00:42::9", app="pay", tier="back"),
        pod("shop", "debug", "10.42.1.66 fd00:42::66", run="debug"),
        pod("data", "db-0", "10.42.2.9 fd00:42::29", app="db", role="primary"),
        pod("data", "db-1", "10.42.2.10 fd00:42::2a", app="db", role="replica"),
        pod("kube-system", "coredns-1", "10.42.0.2 fd00:42::2", **{"k8s-app": "kube-dns"}),
        host("vpn", "10.7.0.1", role="vpn"),
        host("plc-1", "10.8.0.1", role="plc"),
        host("plc-2", "10.8.0.2", role="plc"),
    )
)

NFTABLES = {
    "three-tier": """\
workbench: 1
name: three-tier
protect: {web: {}, db: {directions: [ingress]}}
segments:
  office: {cidrs: [10.1.0.0/24, "fd00:1::/64"]}
  web: {match: {role: web}}
  db: {match: {role: db}}
services: {http: [tcp/80, tcp/443], ping: [icmp/echo-request, icmpv6/echo-request]}
rules:
  - {id: office-web, from: [office], to: [web], services: [http, udp/443]}
  - {id: web-db, from: [web], to: [db], services: [tcp/5432], reason: orders}
  - {id: ping-web, from: [any], to: [web], services: [ping]}
  - {id: old, from: [any], to: [any], services: [any], expires: 2026-03-30}
  - {id: last-day, from: [web], to: [office], services: [udp/53], expires: 2026-03-31}
""",
    "plant-floor": """\
workbench: 1
name: plant-floor
protect: {plc: {}, hmi: {directions: [ingress]}}
segments:
  plc: {match: {role: plc}}
  hmi: {match: {role: hmi}}
  admins: {cidrs: [10.9.0.0/24, "fd00:9::/64"]}
rules:
  - {id: hmi-reads-plc, from: [hmi], to: [plc], services: [tcp/502, tcp/44818, udp/2222-2230]}
  - {id: admin-hmi, from: [admins], to: [hmi, plc], services: [tcp/22, tcp/3389]}
  - {id: plc-alarm, from: [plc], to: [hmi], services: [udp/162]}
""",
    "overlaps": """\
workbench: 1
name: overlaps
protect: {web: {}, db: {}}
segments:
  web: {match: {role: web}}
  db: {match: {role: db}}
  pcs: {match: {role: pc}}
rules:
  - {id: all-tcp, from: [web], to: [db], services: [tcp]}
  - {id: low, from: [pcs], to: [web], services: [tcp/0-1023, udp/0-65535]}
  - {id: middle, from: [pcs], to: [web, db], services: [tcp/500-2000]}
  - {id: high, from: [db], to: [pcs], services: [tcp/2000-65535, sctp/2905]}
  - {id: gre-ospf, from: [pcs], to: [web], services: [ip/47, ip/89]}
  - {id: icmp-some, from: [pcs], to: [web], services: [icmp/8-15, icmpv6/128-129]}
  - {id: icmp-all, from: [web], to: [pcs], services: [icmp, icmpv6]}
  - {id: trusted, from: [db], to: [web], services: [any]}
  - {id: anybody-sctp, from: [any], to: [any], services: [sctp]}
""",
    "internet": """\
workbench: 1
name: internet
protect: {inside: {}}
segments:
  inside: {cidrs: [10.0.0.0/8, fc00::/7], except: [10.9.0.0/24]}
  internet: {cidrs: [0.0.0.0/0, "::/0"], except: [10.0.0.0/8, 192.168.0.0/16, fc00::/7]}
  v4: {cidrs: [0.0.0.0/0]}
rules:
  - {id: surf, from: [inside], to: [internet], services: [tcp/80, tcp/443, udp/443]}
  - {id: v4-time, from: [v4], to: [v4], services: [udp/123]}
""",
    "one-family": """\
workbench: 1
name: one-family
protect: {log: {}, db: {}}
segments:
  log: {match: {role: log}}
  db: {match: {role: db}}
  pcs: {match: {role: pc}}
  nobody: {match: {role: nobody}}
rules:
  - {id: db-log, from: [db], to: [log], services: [tcp/6514]}
  - {id: pc-log, from: [pcs], to: [log], services: [tcp/6514]}
  - {id: pc-db, from: [pcs], to: [db], services: [tcp/5432]}
  - {id: ghosts, from: [nobody], to: [db], services: [any]}
  - {id: to-ghosts, from: [any], to: [nobody], services: [any]}
""",
    "everything-shut": """\
workbench: 1
name: everything-shut
protect: {all: {}}
segments: {all: {cidrs: [0.0.0.0/0, "::/0"]}}
rules: []
""",
}

KUBERNETES = {
    "shop": """\
workbench: 1
name: shop
protect: {cart: {}, pay: {}, db: {directions: [ingress]}}
segments:
  cart: {match: {app: cart}}
  pay: {match: {app: pay}}
  db: {match: {app: db}}
  dns: {match: {k8s-app: kube-dns}}
  vpn: {match: {role: vpn}}
  internet: {cidrs: [0.0.0.0/0, "::/0"], except: [10.0.0.0/8, fc00::/7]}
rules:
  - {id: shoppers, from: [any], to: [cart], services: [tcp/80, tcp/8000-8010]}
  - {id: cart-pay, from: [cart, vpn], to: [pay], services: [tcp/443]}
  - {id: store, from: [cart, pay], to: [db], services: [tcp/5432]}
  - {id: names, from: [cart], to: [dns], services: [udp/53, tcp/53]}
  - {id: bank, from: [pay], to: [internet], services: [any]}
""",
    "ingress-only": """\
workbench: 1
name: ingress-only
protect: {db: {directions: [ingress]}}
segments:
  db: {match: {app: db}}
  primary: {match: {app: db, role: primary}}
  back: {match: {tier: back}}
  replicas: {match: {role: replica}}
rules:
  - {id: write, from: [back], to: [primary], services: [tcp/5432]}
  - {id: replicate, from: [replicas], to: [primary], services: [tcp/5432, sctp/7000-7001]}
  - {id: read, from: [back], to: [db], services: [tcp, udp/5433]}
""",
    "egress-only": """\
workbench: 1
name: egress-only
protect: {front: {directions: [egress]}}
segments:
  front: {match: {tier: front}}
  nets: {cidrs: [10.0.0.0/8, "fd00:42::/64"], except: [10.7.0.0/24]}
  nobody: {match: {role: nobody}}
rules:
  - {id: inside, from: [front], to: [nets], services: [tcp/443]}
  - {id: ghosts, from: [front], to: [nobody], services: [any]}
""",
    "nobody-talks": """\
workbench: 1
name: nobody-talks
protect: {shop: {}, db: {}}
segments:
  shop: {match: {app: [cart, pay]}}
  db: {match: {app: db}}
rules: []
""",
}


def resolved(text: str, inventory: Inventory) -> ResolvedPolicy:
    return resolve(load_policy(text), inventory, (), ON)


def assert_golden(path: Path, text: str) -> None:
    """Compare with the file kept beside the tests; UPDATE_GOLDEN=1 writes it anew."""
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()


IN_NAMESPACE = ("unshare", "--map-root-user", "--net")
EACH = 'for file; do nft -f "$file" || exit 1; done; nft -j list ruleset'


def nft_works() -> bool:
    """True where nft and an unprivileged network namespace are to be had."""
    try:
        return not subprocess.run(
            [*IN_NAMESPACE, "nft", "list", "ruleset"], capture_output=True, check=False
        ).returncode
    except FileNotFoundError:
        return False


def nft_load(folder: Path, texts: Iterable[str]) -> list[dict[str, Any]]:
    """Load the texts one after another in a namespace of their own; list what the kernel holds."""
    files = []
    for number, text in enumerate(texts):
        files.append(folder / f"{number}.nft")
        files[-1].write_text(text)
    done = subprocess.run(
        [*IN_NAMESPACE, "sh", "-c", EACH, "sh", *map(str, files)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.returncode, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)["nftables"]
    return found
