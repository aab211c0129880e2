"""inventory.yaml to Inventory and back."""

import ipaddress
from typing import Any

from workbench.documents import Node, cidr_problem, parse_yaml, render, updated
from workbench.inventory.validate import problems, validate
from workbench.model.errors import InventoryError
from workbench.model.net import (
    ALL_V4,
    PORT_PROTOCOLS,
    PROTOCOL_NAMES,
    PROTOCOLS,
    AddressSet,
    format_address,
    parse_address,
)
from workbench.model.site import Host, Inventory, Labels, Network, Pod, labels_of

VERSION = 1
"""The format's number: `workbench: 1` opens every document."""


def load_inventory(text: str, file: str = "inventory.yaml") -> Inventory:
    """Read an inventory. Raises InventoryError with file, line and path for the first problem."""
    return _read(parse_yaml(text, file, InventoryError))


def dump_inventory(inventory: Inventory) -> str:
    """The canonical text: `load_inventory` reads back an equal one. Raises InventoryError."""
    validate(inventory)
    return render(inventory_data(inventory))


def update_text(old_text: str, inventory: Inventory) -> str:
    """`old_text` made to say `inventory`: comments, layout and order stay where nothing changed.

    Reads back as exactly `inventory`; a text that cannot be kept gives way to the canonical one.
    Raises InventoryError when `inventory` is not valid.
    """
    validate(inventory)
    text = updated(old_text, inventory, _read, inventory_data, InventoryError)
    return dump_inventory(inventory) if text is None else text


def inventory_data(inventory: Inventory) -> dict[str, Any]:
    """The inventory as plain data in the order of the canonical text; empty parts left out."""
    data: dict[str, Any] = {
        "workbench": VERSION,
        "networks": [_network_data(network) for network in inventory.networks],
        "hosts": [_host_data(host) for host in inventory.hosts],
    }
    return _filled(data)


def _network_data(network: Network) -> dict[str, Any]:
    return _filled(
        {
            "name": network.name,
            "cidrs": _cidrs(network.addresses),
            "labels": dict(network.labels),
        }
    )


def _cidrs(addresses: AddressSet) -> list[str]:
    """The shortest list; IPv6 space around the IPv4 hole is written as if the hole were filled."""
    exact = list(addresses.cidrs())
    filled = [
        str(network)
        for piece in ((addresses - ALL_V4) | ALL_V4).ranges
        for network in ipaddress.summarize_address_range(
            ipaddress.IPv6Address(piece.first), ipaddress.IPv6Address(piece.last)
        )
    ]
    short = [*addresses.family(4).cidrs(), *filled]
    if any(cidr_problem(cidr) for cidr in filled) or AddressSet.of_cidrs(short) != addresses:
        return exact
    return min(exact, short, key=len)


def _host_data(host: Host) -> dict[str, Any]:
    data: dict[str, Any] = {
        "name": host.name,
        "addresses": list(map(format_address, host.addresses)),
        "labels": dict(host.labels),
    }
    if host.pod:
        data["pod"] = _pod_data(host.pod)
    return _filled(data)


def _pod_data(pod: Pod) -> dict[str, Any]:
    return _filled(
        {
            "namespace": pod.namespace,
            "name": pod.name,
            "labels": dict(pod.labels),
            "namespace_labels": dict(pod.namespace_labels),
            "ports": [
                {"name": name, "protocol": PROTOCOL_NAMES[protocol], "port": port}
                for name, protocol, port in pod.ports
            ],
        }
    )


def _filled(data: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if value}


def _read(root: Node) -> Inventory:
    inventory = _inventory(root)
    for problem in problems(inventory):
        raise root.at(problem.where).wrong(problem.text, where=problem.where)
    return inventory


def _inventory(root: Node) -> Inventory:
    fields = root.fields(("workbench", "networks", "hosts"), required=("workbench",))
    version = fields["workbench"]
    if version.text() != str(VERSION):
        raise version.wrong(f"this workbench reads version {VERSION}")
    return Inventory(
        hosts=tuple(map(_host, fields["hosts"].items())) if "hosts" in fields else (),
        networks=tuple(map(_network, fields["networks"].items())) if "networks" in fields else (),
    )


def _network(node: Node) -> Network:
    fields = node.fields(("name", "cidrs", "labels"), required=("name", "cidrs"))
    cidrs = fields["cidrs"]
    for item in cidrs.items() if cidrs.kind == "sequence" else [cidrs]:
        if problem := cidr_problem(item.text()):
            raise item.wrong(problem)
    return Network(fields["name"].text(), AddressSet.of_cidrs(cidrs.values()), _labels(fields))


def _host(node: Node) -> Host:
    fields = node.fields(("name", "addresses", "labels", "pod"), required=("name", "addresses"))
    addresses = fields["addresses"]
    items = addresses.items() if addresses.kind == "sequence" else [addresses]
    return Host(
        fields["name"].text(),
        tuple(map(_address, items)),
        _labels(fields),
        _pod(fields["pod"]) if "pod" in fields else None,
    )


def _address(node: Node) -> int:
    text = node.text()
    try:
        return parse_address(text)
    except ValueError:
        raise node.wrong(f"{text[:80]!r} is not an IPv4 or IPv6 address") from None


def _labels(fields: dict[str, Node], name: str = "labels") -> Labels:
    if name not in fields:
        return ()
    return labels_of((key, value.text()) for key, value in fields[name].entries())


def _pod(node: Node) -> Pod:
    known = ("namespace", "name", "labels", "namespace_labels", "ports")
    fields = node.fields(known, required=("namespace",))
    return Pod(
        fields["namespace"].text(),
        fields["name"].text() if "name" in fields else "",
        _labels(fields),
        _labels(fields, "namespace_labels"),
        tuple(map(_port, fields["ports"].items())) if "ports" in fields else (),
    )


def _port(node: Node) -> tuple[str, int, int]:
    known = ("name", "protocol", "port")
    fields = node.fields(known, required=known)
    protocol = PROTOCOLS.get(fields["protocol"].text(), 0)
    if protocol not in PORT_PROTOCOLS:
        raise fields["protocol"].wrong("expected tcp, udp or sctp")
    port = fields["port"].text()
    if not (port.isascii() and port.isdigit() and len(port) <= 5):
        raise fields["port"].wrong("expected a port 1 to 65535")
    return fields["name"].text(), protocol, int(port)
