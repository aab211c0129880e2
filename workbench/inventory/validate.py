"""The rules of the format, on the value: one validator for files, imports and edits."""

import re
from collections.abc import Iterator

from workbench.documents import Problem, label_key_problem, label_problem, unprintable
from workbench.model.errors import InventoryError
from workbench.model.net import PORT_PROTOCOLS, format_address, parse_address
from workbench.model.site import Host, Inventory, Labels, Network, Pod, labels_of

MAX_NAME = 253
"""Characters in a host or network name: RFC 1035's limit for a DNS name."""
_K8S_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_K8S_KEY = re.compile(r"([a-z0-9.-]{1,253}/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
_K8S_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")
_PORT_NAME = re.compile(r"(?=.*[a-z])[a-z0-9](-?[a-z0-9]){0,14}")


def validate(inventory: Inventory) -> None:
    """Raises InventoryError with `where` for the first rule of the format that is broken."""
    for problem in problems(inventory):
        raise InventoryError(problem.text, where=problem.where)


def problems(inventory: Inventory) -> Iterator[Problem]:
    """Everything that is wrong, in document order."""
    names: set[str] = set()
    for at, network in enumerate(inventory.networks):
        yield from _network(f"networks[{at}]", network, names)
    names = set()
    owners: dict[int, str] = {}
    for at, host in enumerate(inventory.hosts):
        yield from _host(f"hosts[{at}]", host, names, owners)


def name_problem(name: str) -> str:
    """Why `name` cannot name a host or network; or empty."""
    if not name or len(name) > MAX_NAME:
        return f"a name has 1 to {MAX_NAME} characters"
    if problem := unprintable(name):
        return problem
    if "," in name or any(char.isspace() for char in name):
        return f"{name[:80]!r}: names have no spaces or commas, which separate terms of a filter"
    return ""


def _named(where: str, name: str, names: set[str]) -> Iterator[Problem]:
    if problem := name_problem(name):
        yield Problem(f"{where}.name", problem)
    if name in names:
        yield Problem(f"{where}.name", f"{name!r} is written twice")
    names.add(name)


def _network(where: str, network: Network, names: set[str]) -> Iterator[Problem]:
    yield from _named(where, network.name, names)
    if not network.addresses:
        yield Problem(f"{where}.cidrs", "needs at least one CIDR")
    yield from _labels(f"{where}.labels", network.labels)


def _host(where: str, host: Host, names: set[str], owners: dict[int, str]) -> Iterator[Problem]:
    yield from _named(where, host.name, names)
    if not host.addresses:
        yield Problem(f"{where}.addresses", "needs at least one address")
    for at, address in enumerate(host.addresses):
        if address in owners:
            problem = f"{format_address(address)} is already an address of {owners[address]!r}"
            yield Problem(f"{where}.addresses[{at}]", problem)
        owners[address] = host.name
    if _is_foreign_address(host):
        yield Problem(f"{where}.name", f"{host.name!r} is an address, but not one of this host")
    yield from _labels(f"{where}.labels", host.labels)
    if host.pod:
        yield from _pod(f"{where}.pod", host.pod)


def _is_foreign_address(host: Host) -> bool:
    if not ("." in host.name or ":" in host.name):
        return False
    try:
        return parse_address(host.name) not in host.addresses
    except ValueError:
        return False


def _labels(where: str, labels: Labels) -> Iterator[Problem]:
    if labels != labels_of(labels):
        yield Problem(where, "labels are sorted by key, each key once")
    for key, value in labels:
        if problem := label_key_problem(key) or label_problem(value):
            yield Problem(f"{where}.{key}", problem)


def _pod(where: str, pod: Pod) -> Iterator[Problem]:
    for field, name in (("namespace", pod.namespace), ("name", pod.name)):
        if not _K8S_NAME.fullmatch(name) and (name or field == "namespace"):
            yield Problem(f"{where}.{field}", f"{name[:80]!r} is not a Kubernetes name")
    for field, labels in (("labels", pod.labels), ("namespace_labels", pod.namespace_labels)):
        if labels != labels_of(labels):
            yield Problem(f"{where}.{field}", "labels are sorted by key, each key once")
        for key, value in labels:
            if not (_K8S_KEY.fullmatch(key) and _K8S_VALUE.fullmatch(value)):
                text = f"{key[:80]}={value[:80]}"
                yield Problem(f"{where}.{field}.{key}", f"{text!r} is not a Kubernetes label")
    for at, (name, protocol, port) in enumerate(pod.ports):
        if not _PORT_NAME.fullmatch(name):
            yield Problem(f"{where}.ports[{at}].name", f"{name[:80]!r} is not a port name")
        if protocol not in PORT_PROTOCOLS or not 0 < port < 65536:
            yield Problem(f"{where}.ports[{at}]", "needs tcp, udp or sctp and a port 1 to 65535")
