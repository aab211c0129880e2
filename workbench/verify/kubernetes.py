"""NetworkPolicy files → what they do with conversations that a pod takes part in."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from workbench.model.net import PORT_PROTOCOLS, parse_address
from workbench.model.rendered import Check, Verification
from workbench.model.site import Pod
from workbench.model.text import plural
from workbench.verify.batch import Batch, grouped
from workbench.verify.compare import Case, Found, compare
from workbench.verify.k8s import CannotRead, Cluster, NetworkPolicy, Place, read, telling
from workbench.verify.kinds import kinds
from workbench.verify.probes import boundary_probes

UNDERSTOOD = "the objects are understood"
OUTSIDER = parse_address("198.51.100.7")
UNLISTED = "zt-unlisted"
"""A namespace and an address that no inventory lists."""
NAMES = (
    "drop",
    "accept",
    "depends on the network plugin (an ipBlock covers a pod's address)",
    "accept: neither end is a pod",
)
DROP, ACCEPT, PLUGIN, NO_POD = range(4)


def verify_kubernetes(files: Mapping[str, str], case: Case) -> Verification:
    """Judge the YAML files together, as a cluster with the inventory's pods would enforce them."""
    table = Batch.of_table(case.table)
    try:
        policies = _read_all(files)
    except CannotRead as error:
        check = Check(UNDERSTOOD, "failed", str(error))
        return Verification("kubernetes", 0, 0, len(table), (), (check,))
    cluster = Cluster.of(case.inventory.hosts, policies)
    fit = table.judgeable()
    defined = np.isin(table.protocol, list(PORT_PROTOCOLS)) & ~_same_pod(table, cluster)
    observed = table.take(fit & defined)
    every = kinds(case.policy, telling(cluster), case.tick)
    edges = Batch.of(boundary_probes(case.policy, cluster.pods))
    probes = [_visible(batch, cluster) for batch in (edges, every.batch)]
    differences, checks = compare(case, observed, probes, lambda batch: found(cluster, batch))
    detail = f"{plural(len(policies), 'NetworkPolicy')}, {plural(len(cluster.pods), 'pod address')}"
    checks = (Check(UNDERSTOOD, "passed", detail), *_strangers(cluster), *checks)
    if undefined := int((fit & ~defined).sum()):
        detail = f"{plural(undefined, 'conversation')}: ICMP and the like, or within one pod"
        checks += (Check("what NetworkPolicy leaves undefined", "not checked", detail),)
    checks += every.unasked
    skipped, asked = len(table) - len(observed), sum(map(len, probes))
    return Verification("kubernetes", len(observed), asked, skipped, differences, checks)


def _strangers(cluster: Cluster) -> tuple[Check, ...]:
    """A peer must not mean pods of namespaces that nobody has listed, whatever their labels."""
    labels = {host.pod.labels for host in cluster.pods.values() if host.pod} | {()}
    pods = [Place(OUTSIDER, Pod(UNLISTED, UNLISTED, own)) for own in sorted(labels)]
    for policy in cluster.policies:
        for allow in (*(policy.ingress or ()), *(policy.egress or ())):
            for peer in allow.peers or ():
                named = peer.block is None
                if named and any(cluster.is_peer(policy.namespace, peer, pod) for pod in pods):
                    detail = f"{policy.namespace}/{policy.name} means pods of every namespace"
                    return (Check("peers are in listed namespaces", "failed", detail),)
    return ()


def _visible(batch: Batch, cluster: Cluster) -> Batch:
    """Only what a NetworkPolicy is about: TCP, UDP and SCTP of a pod with somebody else."""
    fit = batch.judgeable() & np.isin(batch.protocol, list(PORT_PROTOCOLS))
    pods = _pods(batch, cluster)
    fit &= (pods[batch.client] >= 0) | (pods[batch.server] >= 0)
    return batch.take(fit & ~_same_pod(batch, cluster))


def _read_all(files: Mapping[str, str]) -> tuple[NetworkPolicy, ...]:
    found: dict[tuple[str, str], NetworkPolicy] = {}
    for name in sorted(files):
        if not name.endswith((".yaml", ".yml", ".json")):
            continue
        try:
            policies = read(files[name])
        except CannotRead as error:
            raise CannotRead(f"{name}: {error}") from error
        for policy in policies:
            key = policy.namespace, policy.name
            if key in found:
                raise CannotRead(f"{name}: {'/'.join(key)} is in another file, too")
            found[key] = policy
    return tuple(found.values())


def found(cluster: Cluster, batch: Batch) -> Found:
    """The fate of TCP, UDP and SCTP conversations, asked once for each class of equal ends."""
    if not len(batch):
        return _found(np.zeros(0, np.int64))
    classes = _classes(cluster, batch)
    keys = np.column_stack(
        [classes[batch.client], classes[batch.server], batch.protocol, batch.port]
    )
    _, rows, inverse = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    strict = replace(cluster, blocks_match_pods=False)
    codes = [_code(cluster, strict, *batch.key(row)) for row in rows.tolist()]
    return _found(np.array(codes, np.int64)[inverse.reshape(-1)])


def _found(codes: NDArray[np.int64]) -> Found:
    return Found(codes, NAMES, frozenset({ACCEPT, NO_POD}), frozenset({DROP}))


def _code(wide: Cluster, strict: Cluster, client: int, server: int, *service: int) -> int:
    ends = wide.place(client), wide.place(server)
    if ends[0].pod is None and ends[1].pod is None:
        return NO_POD
    protocol, port = service
    answers = {cluster.allows(*ends, protocol, port) for cluster in (wide, strict)}
    return PLUGIN if len(answers) > 1 else ACCEPT if answers.pop() else DROP


def _classes(cluster: Cluster, batch: Batch) -> NDArray[np.int64]:
    """A class by rank: equal pods (or no pod) in the same ipBlocks."""
    kinds: dict[object, int] = {}
    pods = np.array([kinds.setdefault(cluster.place(at).pod, len(kinds)) for at in batch.addresses])
    blocks = {
        peer.block: None
        for policy in cluster.policies
        for allow in (*(policy.ingress or ()), *(policy.egress or ()))
        for peer in allow.peers or ()
        if peer.block is not None
    }
    around = grouped([batch.members(block) for block in blocks], len(batch.addresses))
    return pods * (int(around.max()) + 1) + around


def _pods(batch: Batch, cluster: Cluster) -> NDArray[np.int64]:
    """By rank: a number for the pod that has the address, -1 for none."""
    numbers = {id(host): number for number, host in enumerate(cluster.pods.values())}
    hosts = (cluster.pods.get(address) for address in batch.addresses)
    return np.array([numbers[id(host)] if host else -1 for host in hosts], np.int64)


def _same_pod(batch: Batch, cluster: Cluster) -> NDArray[np.bool_]:
    """A pod may always talk to itself."""
    pods = _pods(batch, cluster)
    same: NDArray[np.bool_] = pods[batch.client] == pods[batch.server]
    return same & (pods[batch.client] >= 0)
