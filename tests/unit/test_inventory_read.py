"""inventory.yaml, CSV, hosts files and kubectl JSON: what is read, and what is refused where."""

import json
from pathlib import Path
from typing import Any

import pytest

from workbench.inventory import (
    dump_inventory,
    load_inventory,
    merge,
    read_hosts_csv,
    read_hosts_file,
    read_kubectl,
    rename_host,
    set_labels,
    update_text,
)
from workbench.model.errors import InventoryError
from workbench.model.net import SCTP, TCP, UDP, AddressSet, parse_address
from workbench.model.site import Host, Inventory, Network, Pod, labels_of

TEXT = """\
workbench: 1
networks:
  - {name: office-lan, cidrs: [10.1.0.0/24], labels: {zone: office}}
  - {name: everything, cidrs: ["::/0"], labels: {zone: far}}
hosts:
  # the boss
  - {name: pc-01, addresses: [10.1.0.11, "fd00:1::11"], labels: {role: pc, env: prod}}
  - name: cart-1
    addresses: [10.42.1.7]   # may move
    labels: {app: cart}
    pod:
      namespace: shop
      name: cart-1
      labels: {app: cart}
      namespace_labels: {team: a}
      ports: [{name: http, protocol: tcp, port: 8080}]
"""


def address(text: str) -> int:
    return parse_address(text)


def test_an_inventory_loads() -> None:
    inventory = load_inventory(TEXT)
    assert inventory.hosts == (
        Host(
            "pc-01",
            (address("10.1.0.11"), address("fd00:1::11")),
            labels_of({"role": "pc", "env": "prod"}),
        ),
        Host(
            "cart-1",
            (address("10.42.1.7"),),
            (("app", "cart"),),
            Pod("shop", "cart-1", (("app", "cart"),), (("team", "a"),), (("http", TCP, 8080),)),
        ),
    )
    assert inventory.labels(address("10.1.0.11")) == {"role": "pc", "env": "prod", "zone": "office"}
    assert 'cidrs: ["::/0"]' in dump_inventory(inventory)
    assert load_inventory(dump_inventory(inventory)) == inventory


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("10.1.0.11", "10.1.0.300", "7: hosts[0].addresses[0]: '10.1.0.300' is not an IPv4 or"),
        ("fd00:1::11", "fe80::1%eth0", "7: hosts[0].addresses[1]: 'fe80::1%eth0' is not an IPv4"),
        ("10.42.1.7", "10.1.0.11", "9: hosts[1].addresses[0]: 10.1.0.11 is already an address of"),
        ("[10.42.1.7]", "[]", "9: hosts[1].addresses: needs at least one address"),
        (
            "name: cart-1\n    addr",
            "name: pc-01\n    addr",
            "8: hosts[1].name: 'pc-01' is written twice",
        ),
        ("name: pc-01", "name: p c", "7: hosts[0].name: 'p c': names have no spaces or commas"),
        (
            "name: pc-01",
            "name: 10.9.9.9",
            "7: hosts[0].name: '10.9.9.9' is an address, but not one",
        ),
        ("name: pc-01", 'name: "a\\e[31m"', "7: hosts[0].name: holds the character U+001B"),
        ("{role: pc", "{Role: pc", "7: hosts[0].labels.Role: 'Role' is not a label key"),
        ("role: pc", "role: ''", "7: hosts[0].labels.role: a label value has 1 to 253"),
        ("role: pc", f"role: {'x' * 254}", "7: hosts[0].labels.role: a label value has 1 to 253"),
        (
            "labels: {role",
            "lables: {role",
            "7: hosts[0].lables: unknown key 'lables'; did you mean",
        ),
        ("10.1.0.0/24", "10.1.0.1/24", "3: networks[0].cidrs[0]: '10.1.0.1/24' has host bits set"),
        ("[10.1.0.0/24]", "[]", "3: networks[0].cidrs: needs at least one CIDR"),
        (
            "name: everything",
            "name: office-lan",
            "4: networks[1].name: 'office-lan' is written twice",
        ),
        (
            "namespace: shop",
            "namespace: Shop",
            "12: hosts[1].pod.namespace: 'Shop' is not a Kubernetes",
        ),
        (
            "labels: {app: cart}\n      names",
            "labels: {app: c t}\n      names",
            "14: hosts[1].pod.labels.app",
        ),
        (
            "protocol: tcp",
            "protocol: icmp",
            "16: hosts[1].pod.ports[0].protocol: expected tcp, udp",
        ),
        ("port: 8080", "port: 0", "16: hosts[1].pod.ports[0]: needs tcp, udp or sctp and a port"),
        ("name: http", "name: 80", "16: hosts[1].pod.ports[0].name: '80' is not a port name"),
        ("workbench: 1", "workbench: 9", "1: workbench: this workbench reads version 1"),
    ],
)
def test_refusals(old: str, new: str, message: str) -> None:
    assert old in TEXT
    with pytest.raises(InventoryError) as caught:
        load_inventory(TEXT.replace(old, new, 1), "site/inventory.yaml")
    assert str(caught.value).startswith(f"site/inventory.yaml:{message}")


def test_saving_touches_only_what_changed() -> None:
    inventory = load_inventory(TEXT)
    labelled = set_labels(inventory, [address("10.42.1.7")], {"role": "web"})
    assert update_text(TEXT, labelled) == TEXT.replace(
        "labels: {app: cart}\n    pod", "labels: {app: cart, role: web}\n    pod"
    )
    grown = set_labels(inventory, [address("10.1.0.99")], {"role": "printer"})
    assert update_text(TEXT, grown) == (
        TEXT + "  - {name: 10.1.0.99, addresses: [10.1.0.99], labels: {role: printer}}\n"
    )


def test_labels_names_and_their_undoing() -> None:
    one, two = address("10.0.0.1"), address("fd00::2")
    named = rename_host(set_labels(Inventory(), [one, two], {"role": "web"}), one, "web-1")
    assert [host.name for host in named.hosts] == ["web-1", "fd00::2"]
    assert [h.name for h in set_labels(named, [one, two], {"role": None}).hosts] == ["web-1"]
    for bad in ("", "a b", "10.0.0.7", "x\x00"):
        with pytest.raises(InventoryError):
            rename_host(named, one, bad)
    with pytest.raises(InventoryError, match="'fd00::2' is"):
        rename_host(named, one, "fd00::2")
    with pytest.raises(InventoryError, match="'Role' is not a label key"):
        set_labels(named, [one], {"Role": "x"})


def test_merging_believes_the_newcomer_and_keeps_the_rest() -> None:
    known = load_inventory(TEXT)
    new = (
        Host("10.1.0.11", (address("10.1.0.11"),), (("role", "laptop"),)),
        Host("new", (address("10.1.0.50"),)),
    )
    merged = merge(known, new)
    assert merged.hosts[0].name == "pc-01"
    assert dict(merged.hosts[0].labels) == {"role": "laptop", "env": "prod"}
    assert [host.name for host in merged.hosts] == ["pc-01", "cart-1", "new"]
    assert merged.networks == known.networks


def test_a_new_pod_at_an_old_address_is_another_host() -> None:
    known = load_inventory(TEXT)
    pod = Host("pay-1", (address("10.42.1.7"),), (("app", "pay"),), Pod("shop", "pay-1"))
    assert merge(known, [pod]).hosts[1] == pod
    moved = Host("cart-1", (address("10.42.1.8"),), (("v", "2"),), Pod("shop", "cart-1"))
    again = merge(known, [moved]).hosts[1]
    assert again.addresses == (address("10.42.1.8"),)
    assert dict(again.labels) == {"app": "cart", "v": "2"}
    other = Host("cart-1", (address("10.42.2.9"),), (), Pod("test", "cart-1"))
    assert [host.name for host in merge(known, [other]).hosts][1:] == ["cart-1", "cart-1.test"]


def test_a_pod_never_swallows_a_machine_that_has_more_than_its_address() -> None:
    machine = Host("node", (address("10.42.0.1"), address("192.168.0.1")), (("role", "node"),))
    pod = Host("pay-1", (address("10.42.0.1"),), (), Pod("shop", "pay-1"))
    found = merge(Inventory((machine,)), [pod]).hosts
    assert found == (Host("node", (address("192.168.0.1"),), (("role", "node"),)), pod)


# ── CSV and hosts files ────────────────────────────────────────────────────────────────────


PLAIN = """\
name,address,role,env
web 1,10.0.0.1 fd00::1,web,prod

db,10.0.0.2,db,
,10.0.0.3,,
"""
EXCEL = (
    "\ufeffHostname;IP;Role;Env\r\nweb 1;10.0.0.1 fd00::1;web;prod\r\n"
    "db;10.0.0.2;db\r\n;10.0.0.3\r\n"
)
TABS = (
    'name\taddress\trole\tenv\n"web 1"\t"10.0.0.1, fd00::1"\tweb\tprod\n'
    "db\t10.0.0.2\tdb\t\n\t10.0.0.3\t\t\n"
)


@pytest.mark.parametrize("text", [PLAIN, EXCEL, TABS])
def test_csv(text: str) -> None:
    assert read_hosts_csv(text) == (
        Host(
            "web-1",
            (address("10.0.0.1"), address("fd00::1")),
            labels_of({"role": "web", "env": "prod"}),
        ),
        Host("db", (address("10.0.0.2"),), (("role", "db"),)),
        Host("10.0.0.3", (address("10.0.0.3"),)),
    )


def test_rows_of_one_name_are_one_host() -> None:
    [host] = read_hosts_csv("name,address,role\na,10.0.0.1,web\na,10.0.0.2,\n")
    assert (len(host.addresses), host.labels) == (2, (("role", "web"),))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "1: the header has no `address` column"),
        ("name,role\na,b\n", "1: the header has no `address` column (it has name, role)"),
        (f"name,address{',x' * 200}\n", "1: header: more than 200 columns"),
        ("name,address,1x\n", "1: header: '1x' is not a label key"),
        ("name,address,ip\n", "1: header: 'address' is written twice"),
        ("address\n10.0.0.1\n10.0.0.999\n", "3: '10.0.0.999' is not an IPv4 or IPv6 address"),
        ("address,role\n10.0.0.1,a,b\n", "2: has 3 cells, the header 2"),
        ("name,address\na,\n", "2: has no address"),
        ("name,address\na,10.0.0.1\nb,10.0.0.1\n", "3: 10.0.0.1 is already an address of 'a'"),
        ("name,ip,role\na,10.0.0.1,x\na,10.0.0.2,y\n", "3: 'a' has role=x and role=y"),
        ("name,address\na\x1b[0m,10.0.0.1\n", "2: holds the character U+001B"),
        ("name,address,role\na,10.0.0.1,\x07\n", "2: role: holds the character U+0007"),
        ('name,address\n"a,10.0.0.1\n', "2: not CSV: unexpected end of data"),
        ("name,address\n10.0.0.2,10.0.0.1\n", " hosts[0].name: '10.0.0.2' is an address, but"),
    ],
)
def test_csv_refusals(text: str, message: str) -> None:
    with pytest.raises(InventoryError) as caught:
        read_hosts_csv(text, "site.csv")
    assert str(caught.value).startswith(f"site.csv:{message}")


def test_hosts_file() -> None:
    text = """\
127.0.0.1 localhost
::1       localhost ip6-localhost
fe80::1%lo0 localhost
ff02::1   ip6-allnodes
# servers
10.0.0.1  web.example.org web   # front
fd00::1   web.example.org
10.0.0.1  second-name
"""
    assert read_hosts_file(text) == (
        Host("web.example.org", (address("10.0.0.1"), address("fd00::1"))),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("10.0.0.1 a\nten b\n", "2: 'ten' is not an IPv4 or IPv6 address"),
        ("10.0.0.1 # a\n", "1: expected an address and a name"),
        ("10.0.0.1 a\x1bb\n", "1: holds the character U+001B"),
        (f"10.0.0.1 {'x' * 254}\n", "1: a name has 1 to 253 characters"),
    ],
)
def test_hosts_file_refusals(text: str, message: str) -> None:
    with pytest.raises(InventoryError) as caught:
        read_hosts_file(text, "hosts")
    assert str(caught.value).startswith(f"hosts:{message}")


# ── kubectl ────────────────────────────────────────────────────────────────────────────────


def pod(name: str, ip: str | None, namespace: str = "shop", **more: Any) -> dict[str, Any]:
    return {
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": more.pop("labels", {})},
        "spec": more.pop("spec", {}),
        "status": {"podIP": ip, "phase": "Running"} | more,
    }


def listed(*items: dict[str, Any], kind: str = "List") -> str:
    return json.dumps({"kind": kind, "apiVersion": "v1", "items": items})


def test_pods_become_hosts() -> None:
    ports = [
        {"name": "http", "containerPort": 8080},
        {"name": "dns", "containerPort": 53, "protocol": "UDP"},
        {"name": "sig", "containerPort": 2905, "protocol": "SCTP"},
        {"containerPort": 9090},
        {"name": "odd", "containerPort": True},
    ]
    labels = {"app": "cart", "Tier": "x", "pod-template-hash": "abc", "empty": ""}
    labels |= {"job-name": "cart-2951", "batch.kubernetes.io/controller-uid": "1f-2"}
    text = listed(
        {"kind": "Namespace", "metadata": {"name": "shop", "labels": {"team": "a"}}},
        pod(
            "cart-1",
            "10.42.0.5",
            labels=labels,
            podIPs=[{"ip": "10.42.0.5"}, {"ip": "fd00:42::5"}],
            spec={"containers": [{"ports": ports}]},
        ),
        pod("agent", "10.42.0.6", "ops"),
    )
    cart, agent = read_kubectl(text)
    assert cart == Host(
        "cart-1",
        (address("10.42.0.5"), address("fd00:42::5")),
        labels_of({"app": "cart", "namespace": "shop"}),
        Pod(
            "shop",
            "cart-1",
            labels_of(labels),
            (("team", "a"),),
            (("http", TCP, 8080), ("dns", UDP, 53), ("sig", SCTP, 2905)),
        ),
    )
    assert agent.pod is not None
    assert agent.pod.namespace_labels == (("kubernetes.io/metadata.name", "ops"),)
    both = merge(Inventory(), (cart, agent))
    assert load_inventory(dump_inventory(both)) == both


def test_pods_without_an_address_of_their_own_are_counted() -> None:
    notes: list[str] = []
    text = listed(
        pod("proxy", "192.168.0.1", spec={"hostNetwork": True}),
        pod("waiting", None),
        pod("done", "10.42.0.9", phase="Succeeded"),
        pod("failed", "10.42.0.9", phase="Failed"),
        {"kind": "Service", "metadata": {"name": "svc"}},
        kind="List",
    )
    assert read_kubectl(text, "p.json", note=notes.append) == ()
    assert notes == [
        "p.json: 1 left out: on the host network, its traffic is the node's",
        "p.json: 1 left out: without an address yet",
        "p.json: 2 left out: finished, its address may be another's",
        "p.json: 1 left out: not a pod",
    ]


def test_equal_pod_names_are_told_apart() -> None:
    hosts = read_kubectl(listed(pod("db-0", "10.42.0.1", "a"), pod("db-0", "10.42.0.2", "b")))
    assert [host.name for host in hosts] == ["db-0.a", "db-0.b"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ":1: not JSON: Expecting value"),
        ('{\n"items": [}', ":2: not JSON: Expecting value"),
        ("[]", ": expected a list that `kubectl get"),
        ('{"items": 7}', ": expected a list that `kubectl get"),
        ("[" * 100_000, ": not JSON that kubectl writes"),
        ('{"items": [' + "9" * 5000 + "]}", ": not JSON that kubectl writes"),
        (listed(pod("a", "10.42.0.300")), ": items[0].status.podIP: '10.42.0.300'"),
        (listed(pod("a", "10.42.0.1"), pod("b", "10.42.0.1")), ": 10.42.0.1 is already an address"),
        (listed(pod("a\x1b", "10.42.0.1")), ": hosts[0].name: holds the character U+001B"),
        (
            listed(pod("a", "10.42.0.1", labels={"x": "a b"})),
            ": hosts[0].pod.labels.x: 'x=a b' is not",
        ),
        (
            listed(pod("a", "10.42.0.1", labels={"x": 1})),
            ": items[0].metadata.labels: expected texts",
        ),
        (
            listed({"kind": "Pod", "status": {"podIP": "10.0.0.1"}}),
            ": items[0].metadata.name: needs",
        ),
    ],
)
def test_kubectl_refusals(text: str, message: str) -> None:
    with pytest.raises(InventoryError) as caught:
        read_kubectl(text, "pods.json")
    assert str(caught.value).startswith(f"pods.json{message}")


def test_real_lists_read(shared_data: Path) -> None:
    """Lists of a real cluster; its pods have no addresses recorded, and that is said."""
    folder = shared_data / "k8s" / "nca" / "example_podlist"
    notes: list[str] = []
    for path in sorted(folder.glob("*.json")):
        assert read_kubectl(path.read_text(), path.name, note=notes.append) == ()
    assert notes == [
        "bank_pod_list.json: 3 left out: on the host network, its traffic is the node's",
        "pods_list.json: 29 left out: without an address yet",
    ]


def test_networks_of_odd_shape_are_written_exactly() -> None:
    for cidrs in (["0.0.0.0/0"], ["::/0"], ["0.0.0.0/0", "::/0"], ["::/1"], ["10.0.0.0/31", "::1"]):
        network = Network("n", AddressSet.of_cidrs(cidrs))
        text = dump_inventory(Inventory(networks=(network,)))
        assert len(text.splitlines()) == 3, text
        assert load_inventory(text).networks == (network,)
