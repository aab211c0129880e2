"""NetworkPolicy objects (networking.k8s.io/v1) for the protected pods of one cluster.

Shape: one default deny for each namespace and direction, then one policy for each group of pods in
the same segments, with one item a rule. Policies only add up, so order means nothing; an absent
`from`, `to` or `ports` means everything, so an item that would name nobody is left out entirely.
Source: Kubernetes API reference, NetworkPolicySpec.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from workbench.export.cluster import (
    Cluster,
    KnownPod,
    Unsayable,
    read_cluster,
    require_pods_only,
)
from workbench.export.selectors import Selector
from workbench.export.text import WIDTH, one_line, wrapped
from workbench.model.errors import UnsupportedPolicy
from workbench.model.net import (
    ANY_SERVICE,
    PORT_PROTOCOLS,
    PROTOCOL_NAMES,
    UDP,
    AddressSet,
    ServiceRange,
)
from workbench.model.policy import SLUG, ResolvedPolicy, ResolvedRule, Side
from workbench.model.rendered import Rendered
from workbench.model.site import Inventory

FILE = "networkpolicies.yaml"
TARGET = "kubernetes"
MANAGED = ("app.kubernetes.io/managed-by", "segmentation-workbench")
RULES = "segmentation-workbench/rules"
"""Annotation: the rule of each item, in order."""
LARGEST = 250_000
"""Bytes of one object: kubectl apply keeps it in an annotation, and those end at 256 KiB."""
NOTES = (
    "Traffic between a pod and its own node (kubelet probes) and from a pod to itself is always"
    " allowed; hostNetwork pods count as their node and are not selected.",
    "ICMP and protocols other than TCP, UDP and SCTP are undefined in a NetworkPolicy: some"
    " networks drop them for selected pods, some do not.",
    "The default deny also covers link-local traffic (node-local DNS, metadata services).",
    "Selectors are exact among the pods of the inventory; export again when pods are added.",
    "Policies only add up: what another NetworkPolicy of the cluster allows stays allowed, and so"
    " does what an older export allowed unless you apply with --prune.",
)

Document = dict[str, Any]


@dataclass(frozen=True)
class _Side:
    """One direction, seen from the protected pods."""

    name: Side
    protected: AddressSet

    def own(self, rule: ResolvedRule) -> AddressSet:
        return rule.servers if self.name is Side.INGRESS else rule.clients

    def peer(self, rule: ResolvedRule) -> AddressSet:
        return rule.clients if self.name is Side.INGRESS else rule.servers


@dataclass(frozen=True)
class _Group:
    """Pods of one namespace in the same protected segments, under the same rules."""

    namespace: str
    segments: tuple[str, ...]
    """Those that are protected as a whole."""
    rules: tuple[ResolvedRule, ...]
    """Rules that name these pods on the protected side, policy order."""
    pods: tuple[KnownPod, ...]

    @property
    def stem(self) -> str:
        return "-".join(name for name in self.segments if SLUG.fullmatch(name)) or "pods"


def render(policy: ResolvedPolicy, inventory: Inventory) -> Rendered:
    """One multi-document YAML file that says of every pod what `decide` says.

    Raises UnsupportedPolicy.
    """
    writer = _Writer()
    try:
        cluster = read_cluster(inventory)
        require_pods_only(policy, cluster, inventory)
        for side in (
            _Side(Side.INGRESS, policy.protected_ingress),
            _Side(Side.EGRESS, policy.protected_egress),
        ):
            groups = _groups(policy, cluster, side)
            writer.default_deny(cluster, side, groups)
            for group in groups:
                writer.allow(cluster, side, group)
    except Unsayable as error:
        raise UnsupportedPolicy(TARGET, (*writer.problems, str(error))) from error
    if writer.problems:
        raise UnsupportedPolicy(TARGET, tuple(writer.problems))
    notes = (*NOTES, *writer.notes)
    header = "".join(f"{line}\n" for line in _header(policy, notes, len(cluster.pods)))
    return Rendered(TARGET, {FILE: header + writer.text()}, notes)


def _groups(policy: ResolvedPolicy, cluster: Cluster, side: _Side) -> list[_Group]:
    found: dict[tuple[str, tuple[str, ...], tuple[int, ...]], list[KnownPod]] = defaultdict(list)
    protected = [entry for entry in policy.segments if not entry[1] - side.protected]
    for pod in cluster.pods:
        if not pod.within(side.protected, f"protected {side.name}: "):
            continue
        segments = tuple(name for name, members in protected if pod.whole_in(members))
        rules = tuple(
            at
            for at, rule in enumerate(policy.rules)
            if pod.within(side.own(rule), f"rule {rule.id}: ")
        )
        found[pod.namespace, segments, rules].append(pod)
    return [
        _Group(namespace, segments, tuple(policy.rules[at] for at in rules), tuple(pods))
        for (namespace, segments, rules), pods in sorted(found.items())
    ]


class _Writer:
    """Collects documents, notes and problems; names are unique in their namespace."""

    def __init__(self) -> None:
        self.problems: dict[str, None] = {}
        self.notes: list[str] = []
        self._documents: dict[tuple[str, str], Document] = {}

    def default_deny(self, cluster: Cluster, side: _Side, groups: Sequence[_Group]) -> None:
        """Isolate every protected pod, whatever becomes of the policies that allow something."""
        pods = [pod for group in groups for pod in group.pods]
        for namespace, picked in cluster.select(pods).items():
            for selector in picked:
                self._add(namespace, "default-deny", side, selector, [], ())

    def allow(self, cluster: Cluster, side: _Side, group: _Group) -> None:
        """One policy for the group, with one item for each rule that names anybody."""
        items: list[Document] = []
        ids: list[str] = []
        for rule in group.rules:
            try:
                item = _item(cluster, side, rule)
            except Unsayable as error:
                self.problems[f"rule {one_line(rule.id)}: {error}"] = None
                continue
            if item is not None:
                items.append(item)
                ids.append(one_line(rule.id))
        if side.name is Side.EGRESS and not any(_is_dns(rule) for rule in group.rules):
            self.notes.append(
                f"No rule lets {group.namespace}/{group.stem} out to a name server (udp/53)."
            )
        if items:
            for selector in cluster.select(group.pods)[group.namespace]:
                self._add(group.namespace, group.stem, side, selector, items, ids)

    def _add(
        self,
        namespace: str,
        stem: str,
        side: _Side,
        selector: Selector,
        items: list[Document],
        ids: Sequence[str],
    ) -> None:
        number, name = 1, _name(stem, side.name)
        while (namespace, name) in self._documents:
            number += 1
            name = _name(stem, f"{side.name}-{number}")
        metadata: Document = {
            "name": name,
            "namespace": namespace,
            "labels": {MANAGED[0]: MANAGED[1]},
        }
        if ids:
            metadata["annotations"] = {RULES: ", ".join(ids)}
        spec: Document = {
            "podSelector": selector.document(),
            "policyTypes": [side.name.capitalize()],
        }
        if items:
            spec[side.name.value] = items
        document = {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": metadata,
            "spec": spec,
        }
        if (size := len(json.dumps(document))) > LARGEST:
            self.problems[
                f"{namespace}/{name} would be {size:,} bytes, and kubectl apply takes {LARGEST:,}:"
                " name networks that need fewer exceptions, or split the segment"
            ] = None
        self._documents[namespace, name] = document

    def text(self) -> str:
        """All documents as YAML, by namespace and name."""
        return yaml.dump_all(
            (document for _, document in sorted(self._documents.items())),
            Dumper=_Plain,
            sort_keys=False,
            explicit_start=True,
            width=WIDTH,
        )


class _Plain(yaml.SafeDumper):
    """Repeats a shared value instead of writing an alias that people have to follow."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
        return True


# kubectl takes more plain texts for numbers and truth values than PyYAML does (go-yaml, resolve.go)
_Plain.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$|0o[0-7]+$"),
    list("-+.0123456789"),
)
_Plain.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"[yYnN]$"), list("yYnN"))


def _name(stem: str, tail: str) -> str:
    """A DNS label of at most 63 characters: `zt-cart-ingress`."""
    return f"zt-{stem}"[: 62 - len(tail)].rstrip("-") + f"-{tail}"


def _item(cluster: Cluster, side: _Side, rule: ResolvedRule) -> Document | None:
    """An entry of `ingress` or `egress`; None when the rule names nobody or nothing."""
    ports = [_port(service) for service in rule.services if service != ANY_SERVICE]
    peers = cluster.peers(side.peer(rule))
    if peers == [] or not rule.services:
        return None
    item: Document = {}
    if peers is not None:
        item["from" if side.name is Side.INGRESS else "to"] = peers
    if ports:
        item["ports"] = ports
    return item


def _port(service: ServiceRange) -> Document:
    if service.protocol not in PORT_PROTOCOLS:
        raise Unsayable(f"{service} (only TCP, UDP and SCTP can be named)")
    port: Document = {"protocol": PROTOCOL_NAMES[service.protocol].upper()}
    if (service.first, service.last) == (0, 65535):
        return port
    if service.first == 0:
        raise Unsayable(f"{service} (ports begin at 1)")
    port["port"] = service.first
    if service.last > service.first:
        port["endPort"] = service.last
    return port


def _is_dns(rule: ResolvedRule) -> bool:
    return bool(rule.servers) and any(service.covers(UDP, 53) for service in rule.services)


def _header(policy: ResolvedPolicy, notes: Sequence[str], pods: int) -> Iterator[str]:
    managed = "=".join(MANAGED)
    yield f"# {FILE}: policy {one_line(policy.name)!r} for Kubernetes"
    yield f"# resolved for {policy.on.isoformat()} over {pods} known pods"
    if policy.expired:
        yield from wrapped("expired and left out: ", policy.expired, "# ")
    yield "#"
    yield f"# check      kubectl apply --dry-run=server -f {FILE}"
    yield f"# load       kubectl apply -f {FILE} --prune \\"
    yield "#              --prune-allowlist=networking.k8s.io/v1/NetworkPolicy \\"
    yield f"#              -l {managed}"
    yield "# roll back  kubectl delete networkpolicy --all-namespaces \\"
    yield f"#              -l {managed}"
    yield "#"
    for note in notes:
        yield from wrapped("", note.split(" "), "# ", " ")
