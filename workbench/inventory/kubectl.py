"""Hosts from `kubectl get pods,namespaces -A -o json`: a pod is a host with Kubernetes facts."""

import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from workbench.documents import label_key_problem, label_problem
from workbench.inventory.lists import gathered
from workbench.model.errors import InventoryError
from workbench.model.net import PORT_PROTOCOLS, PROTOCOLS, parse_address
from workbench.model.site import NAMESPACE_NAME, VOLATILE, Host, Labels, Pod, labels_of


def read_kubectl(
    text: str, file: str = "pods.json", *, note: Callable[[str], None] = lambda _: None
) -> tuple[Host, ...]:
    """Pods as hosts, with their namespace's labels where the list holds namespaces too.

    A host is labelled with `namespace` and with the pod's own labels, as far as they are labels
    here. Pods without an address of their own (host network, pending, finished) are left out and
    counted through `note`. Raises InventoryError with the path of what is wrong.
    """
    items = _items(text, file)
    namespaces = {
        _name(item, file): labels_of(_texts(item["metadata"].get("labels"), item, file))
        for item in items
        if item["kind"] == "Namespace"
    }
    hosts: list[Host] = []
    skipped: Counter[str] = Counter()
    for item in items:
        if item["kind"] != "Pod":
            skipped["not a pod"] += item["kind"] != "Namespace"
        elif why := _no_address(item):
            skipped[why] += 1
        else:
            hosts.append(_host(item, namespaces, file))
    for why, count in skipped.items():
        if count:
            note(f"{file}: {count} left out: {why}")
    return gathered(_told_apart(hosts), lambda problem: InventoryError(problem, file=file))


def _items(text: str, file: str) -> list[dict[str, Any]]:
    """The items of the list; each has a `kind`, a `where`, and mappings where we look for them."""
    try:
        document = json.loads(text.removeprefix("\ufeff"))
    except json.JSONDecodeError as error:
        raise InventoryError(f"not JSON: {error.msg}", file=file, line=error.lineno) from error
    except (RecursionError, ValueError) as error:  # nested too deep, or a number too long
        raise InventoryError("not JSON that kubectl writes", file=file) from error
    if not isinstance(document, dict) or not isinstance(document.get("items"), list):
        raise InventoryError("expected a list that `kubectl get … -o json` wrote", file=file)
    kind = str(document.get("kind", "")).removesuffix("List")
    found: list[dict[str, Any]] = []
    for at, item in enumerate(document["items"]):
        parts = {part: _mapping(item, part) for part in ("metadata", "spec", "status")}
        own = item.get("kind") if isinstance(item, dict) else None
        found.append({"kind": own or kind, "where": f"items[{at}]", **parts})
    return found


def _mapping(item: Any, part: str) -> dict[str, Any]:
    found = item.get(part) if isinstance(item, dict) else None
    return found if isinstance(found, dict) else {}


def _list(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _no_address(pod: dict[str, Any]) -> str:
    """Why this pod is no host of its own; or empty."""
    if pod["spec"].get("hostNetwork") is True:
        return "on the host network, its traffic is the node's"
    if pod["status"].get("phase") in ("Succeeded", "Failed"):
        return "finished, its address may be another's"
    if not pod["status"].get("podIP") and not pod["status"].get("podIPs"):
        return "without an address yet"
    return ""


def _host(item: dict[str, Any], namespaces: dict[str, Labels], file: str) -> Host:
    metadata = item["metadata"]
    name, namespace = _name(item, file), str(metadata.get("namespace", "default"))
    labels = _texts(metadata.get("labels"), item, file)
    pod = Pod(
        namespace,
        name,
        labels_of(labels),
        namespaces.get(namespace, ((NAMESPACE_NAME, namespace),)),
        tuple(dict.fromkeys(_ports(item["spec"]))),
    )
    own = {
        key: value
        for key, value in labels.items()
        if not (VOLATILE.fullmatch(key) or label_key_problem(key) or label_problem(value))
    }
    return Host(name, _addresses(item, file), labels_of({**own, "namespace": namespace}), pod)


def _name(item: dict[str, Any], file: str) -> str:
    name = item["metadata"].get("name")
    if not isinstance(name, str):
        raise InventoryError("needs a name", file=file, where=f"{item['where']}.metadata.name")
    return name


def _texts(value: Any, item: dict[str, Any], file: str) -> dict[str, str]:
    """A mapping of texts, as labels are."""
    value = {} if value is None else value
    if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
        where = f"{item['where']}.metadata.labels"
        raise InventoryError("expected texts", file=file, where=where)
    return value


def _addresses(item: dict[str, Any], file: str) -> tuple[int, ...]:
    status = item["status"]
    texts = [status.get("podIP"), *(one.get("ip") for one in _list(status.get("podIPs")))]
    try:
        found = [parse_address(str(text)) for text in texts if text]
    except ValueError as error:
        where = f"{item['where']}.status.podIP"
        raise InventoryError(str(error), file=file, where=where) from error
    return tuple(dict.fromkeys(found))


def _ports(spec: dict[str, Any]) -> Iterable[tuple[str, int, int]]:
    """Named ports of the containers; protocol defaults to TCP (core/v1 ContainerPort)."""
    for container in _list(spec.get("containers")):
        for port in _list(container.get("ports")):
            protocol = PROTOCOLS.get(str(port.get("protocol", "TCP")).lower(), 0)
            number = port.get("containerPort")
            if not isinstance(number, int) or isinstance(
                number, bool
            ):  # JSON's true is an int here
                continue
            if port.get("name") and protocol in PORT_PROTOCOLS:
                yield str(port["name"]), protocol, number


def _told_apart(hosts: list[Host]) -> Iterable[Host]:
    """Pods of one name in several namespaces get `name.namespace`."""
    names = Counter(host.name for host in hosts)
    for host in hosts:
        if host.pod and names[host.name] > 1:
            yield replace(host, name=f"{host.name}.{host.pod.namespace}")
        else:
            yield host
