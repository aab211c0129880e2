"""YAML text → NetworkPolicy objects, as strictly as the API server reads them."""

import ipaddress
import json
import re
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any, TypeVar

import yaml

from workbench.model.net import SCTP, TCP, UDP, AddressSet
from workbench.verify.k8s.objects import (
    Allow,
    LabelSelector,
    NetworkPolicy,
    Peer,
    Port,
    Requirement,
)

PROTOCOLS = {"TCP": TCP, "UDP": UDP, "SCTP": SCTP}
PORT_NAME = re.compile(r"(?=.*[a-z])[a-z0-9]+(-[a-z0-9]+)*")
"""IANA service name (RFC 6335 section 5.1), at most 15 characters."""
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")
LABEL_KEY = re.compile(r"([a-z0-9.-]{1,253}/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
SERVER_FIELDS = {"creationTimestamp", "generation", "resourceVersion", "uid", "managedFields"}
SERVER_FIELDS |= {"selfLink"}
"""What `kubectl get -o yaml` adds to metadata; it decides nothing."""
LARGEST = 262_144
"""Bytes of one object: `kubectl apply` keeps it in an annotation, which may not be longer."""
_NUMBER = "tag:yaml.org,2002:int"
_INTEGER = re.compile(r"[-+]?(0b[01_]+|0x[0-9a-fA-F_]+|0o?[0-7_]*|[1-9][0-9_]*)$")
_DECIMAL = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$")
_YES_NO = re.compile(r"[yYnN]$")
_BREAKS = re.compile(r"\r(?!\n)|[\x85\u2028\u2029]")
_MARKER = re.compile(r"^(---(?![ \t]*(#.*)?\r?$)|\.\.\.|%).*", re.MULTILINE)
_T = TypeVar("_T")


class CannotRead(Exception):
    """The API server would refuse the object, or read it otherwise than its author meant."""


class _Loader(yaml.SafeLoader):
    """Refuses a key that occurs twice (YAML keeps the last one, silently) and aliases.

    Plain texts are numbers where they are to kubectl (go-yaml's resolve.go): `8e1` is 80, `y` is
    true, `1:30` is no number of base 60.

    A few lines of aliases grow beyond all memory, or contain themselves.
    """

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent) and self.anchors:
            raise CannotRead(f"line {self.line + 1}: aliases are not read")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Any] = set()
        for key, _ in node.value:
            name = self.construct_object(key, deep=True)
            if not isinstance(name, str) or name in seen:
                line = key.start_mark.line + 1
                raise CannotRead(f"line {line}: {name!r} is no name, or is there twice")
            seen.add(name)
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag != _NUMBER]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_NUMBER, _INTEGER, list("-+0123456789"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _DECIMAL, list("-+.0123456789"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", _YES_NO, list("yYnN"))
_Loader.bool_values = yaml.SafeLoader.bool_values | {"y": True, "n": False}


def read(text: str, *, namespace: str = "") -> tuple[NetworkPolicy, ...]:
    """All NetworkPolicy objects of a file. Raises CannotRead with the place and the problem.

    `namespace` is for objects that name none; without it they are refused.
    """
    _refuse_hidden(text)
    try:
        documents = list(yaml.load_all(text, _Loader))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise CannotRead(f"line {line}: {error.problem}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise CannotRead(" ".join(str(error).split())) from error
    found: dict[tuple[str, str], NetworkPolicy] = {}
    for number, document in enumerate(documents, 1):
        for policy in _objects(document, f"document {number}", namespace):
            if (policy.namespace, policy.name) in found:
                raise CannotRead(f"{policy.namespace}/{policy.name} is there twice")
            found[policy.namespace, policy.name] = policy
    return tuple(found.values())


def _refuse_hidden(text: str) -> None:
    """kubectl cuts a file at lines of `---` alone and reads the first document of each piece."""
    if found := _BREAKS.search(text) or _MARKER.search(text):
        line = text.count("\n", 0, found.start()) + 1
        what = found.group()[:20].strip() or f"{found.group()!r}"
        raise CannotRead(f"line {line}: kubectl would not read what follows {what!r}")


def _objects(document: Any, where: str, namespace: str) -> Iterator[NetworkPolicy]:
    if document is None:
        return
    whole = _mapping(document, where)
    if whole.get("kind") in ("List", "NetworkPolicyList"):
        _known(whole, where, "apiVersion", "kind", "metadata", "items")
        for number, item in enumerate(_list(whole.get("items"), where)):
            yield from _objects(item, f"{where}.items[{number}]", namespace)
        return
    if (whole.get("apiVersion"), whole.get("kind")) != ("networking.k8s.io/v1", "NetworkPolicy"):
        raise CannotRead(f"{where}: not a networking.k8s.io/v1 NetworkPolicy")
    _known(whole, where, "apiVersion", "kind", "metadata", "spec", "status")
    if (size := len(json.dumps(whole, default=str, separators=(",", ":")))) > LARGEST:
        raise CannotRead(f"{where}: {size:,} bytes are more than kubectl apply takes ({LARGEST:,})")
    if whole.get("status"):
        raise CannotRead(f"{where}: a NetworkPolicy has no status")
    meta = _mapping(whole.get("metadata"), f"{where}.metadata")
    _known(meta, f"{where}.metadata", "name", "namespace", "labels", "annotations", *SERVER_FIELDS)
    name = _text(meta.get("name"), f"{where}.metadata.name", NAME)
    home = _text(meta.get("namespace", namespace), f"{where}.metadata.namespace", NAME)
    for part in ("labels", "annotations"):
        for key, value in _mapping(meta.get(part) or {}, f"{where}.metadata.{part}").items():
            _text(value, f"{where}.metadata.{part}.{key}")
    yield _policy(home, name, _mapping(whole.get("spec"), f"{where}.spec"), f"{home}/{name}")


def _policy(namespace: str, name: str, spec: Mapping[str, Any], where: str) -> NetworkPolicy:
    """Defaults as in the API reference: Ingress always, Egress when there are egress rules."""
    _known(spec, where, "podSelector", "policyTypes", "ingress", "egress")
    pods = _selector(spec.get("podSelector", {}), f"{where}.podSelector")
    ingress = _items(
        spec.get("ingress"), f"{where}.ingress", lambda item, at: _allow(item, at, "from")
    )
    egress = _items(spec.get("egress"), f"{where}.egress", lambda item, at: _allow(item, at, "to"))
    types = [_text(kind, f"{where}.policyTypes") for kind in _list(spec.get("policyTypes"), where)]
    if set(types) - {"Ingress", "Egress"} or len(types) > 2:
        raise CannotRead(f"{where}.policyTypes: {types} are not Ingress and Egress")
    if not types:
        types = ["Ingress", "Egress"] if egress else ["Ingress"]
    for kind, rules in (("Ingress", ingress), ("Egress", egress)):
        if rules and kind not in types:
            raise CannotRead(f"{where}: rules for {kind}, which policyTypes leaves out")
    return NetworkPolicy(
        namespace,
        name,
        pods,
        ingress if "Ingress" in types else None,
        egress if "Egress" in types else None,
    )


def _allow(item: Any, where: str, peers: str) -> Allow:
    whole = _mapping(item, where)
    _known(whole, where, peers, "ports")
    return Allow(
        _items(whole.get(peers), f"{where}.{peers}", _peer) or None,
        _items(whole.get("ports"), f"{where}.ports", _port) or None,
    )


def _peer(item: Any, where: str) -> Peer:
    whole = _mapping(item, where)
    _known(whole, where, "podSelector", "namespaceSelector", "ipBlock")
    pods, namespaces = whole.get("podSelector"), whole.get("namespaceSelector")
    if (block := whole.get("ipBlock")) is not None:
        if len(whole) > 1:
            raise CannotRead(f"{where}: ipBlock excludes selectors")
        return Peer(block=_block(_mapping(block, where), f"{where}.ipBlock"))
    if pods is None and namespaces is None:
        raise CannotRead(f"{where}: a peer must say who")
    return Peer(
        None if pods is None else _selector(pods, f"{where}.podSelector"),
        None if namespaces is None else _selector(namespaces, f"{where}.namespaceSelector"),
    )


def _block(block: Mapping[str, Any], where: str) -> AddressSet:
    _known(block, where, "cidr", "except")
    around = _network(block.get("cidr"), where)
    found = _addresses(around, where)
    for hole in _list(block.get("except"), where):
        inner = _network(hole, where)
        if inner.version != around.version or inner.prefixlen <= around.prefixlen:
            raise CannotRead(f"{where}: {inner} is not strictly inside {around}")
        if inner.network_address not in around:
            raise CannotRead(f"{where}: {inner} is not strictly inside {around}")
        found -= _addresses(inner, where)
    return found


def _network(value: Any, where: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    text = _text(value, where)
    try:
        if "/" not in text:
            raise ValueError("no prefix length")
        return ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise CannotRead(f"{where}: {text!r}: {error}") from error


def _addresses(network: ipaddress.IPv4Network | ipaddress.IPv6Network, where: str) -> AddressSet:
    try:
        return AddressSet.of_cidrs([str(network)])
    except ValueError as error:
        raise CannotRead(f"{where}: {error}") from error


def _port(item: Any, where: str) -> Port:
    whole = _mapping(item, where)
    _known(whole, where, "protocol", "port", "endPort")
    name = _text(whole.get("protocol", "TCP"), f"{where}.protocol")
    if name not in PROTOCOLS:
        raise CannotRead(f"{where}: protocol {name!r} is not TCP, UDP or SCTP")
    protocol, port, end = PROTOCOLS[name], whole.get("port"), whole.get("endPort")
    if isinstance(port, str):
        if not PORT_NAME.fullmatch(port) or len(port) > 15 or end is not None:
            raise CannotRead(f"{where}: {port!r} is no port name, or has an endPort")
        return Port(protocol, name=port)
    if port is None and end is None:
        return Port(protocol)
    first, last = _number(port, where), _number(port if end is None else end, where)
    if last < first:
        raise CannotRead(f"{where}: endPort {last} is below port {first}")
    return Port(protocol, first, last)


def _number(value: Any, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 65535:
        raise CannotRead(f"{where}: {value!r} is no port from 1 to 65535")
    return value


def _selector(value: Any, where: str) -> LabelSelector:
    whole = _mapping(value, where)
    _known(whole, where, "matchLabels", "matchExpressions")
    labels = _mapping(whole.get("matchLabels") or {}, where)
    found = [
        Requirement(
            _text(key, where, LABEL_KEY), "In", frozenset({_text(text, where, LABEL_VALUE)})
        )
        for key, text in labels.items()
    ]
    expressions = _items(whole.get("matchExpressions"), f"{where}.matchExpressions", _requirement)
    return (*found, *(expressions or ()))


def _requirement(item: Any, where: str) -> Requirement:
    whole = _mapping(item, where)
    _known(whole, where, "key", "operator", "values")
    key = _text(whole.get("key"), where, LABEL_KEY)
    operator = _text(whole.get("operator"), where)
    values = frozenset(
        _text(text, where, LABEL_VALUE) for text in _list(whole.get("values"), where)
    )
    if operator not in ("In", "NotIn", "Exists", "DoesNotExist"):
        raise CannotRead(f"{where}: unknown operator {operator!r}")
    if bool(values) != (operator in ("In", "NotIn")):
        raise CannotRead(f"{where}: {operator} with values {sorted(values)}")
    return Requirement(key, operator, values)


def _items(value: Any, where: str, each: Callable[[Any, str], _T]) -> tuple[_T, ...]:
    return tuple(each(item, f"{where}[{at}]") for at, item in enumerate(_list(value, where)))


def _list(value: Any, where: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise CannotRead(f"{where}: expected a list")
    return value


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise CannotRead(f"{where}: expected fields, found {repr(value)[:80]}")
    return value


def _text(value: Any, where: str, shape: re.Pattern[str] | None = None) -> str:
    if not isinstance(value, str) or (shape and not shape.fullmatch(value)):
        raise CannotRead(f"{where}: {repr(value)[:80]} is not a proper text here")
    return value


def _known(value: Mapping[str, Any], where: str, *fields: str) -> None:
    if unknown := sorted(set(value) - set(fields)):
        raise CannotRead(f"{where}: unknown field {unknown[0]!r}")
