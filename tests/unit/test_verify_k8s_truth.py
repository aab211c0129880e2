"""Our verdicts against 40,176 recorded ones of np-guard's network-config-analyzer.

Each case is a folder of policies, judged over the pods of its own manifests or of a shared pod
list. The truth names a pod by its owner and was computed once; where that leaves a choice, the
tables below say which one it took, and the rows that differ are explained and counted.
"""

import gzip
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from workbench.model.net import PROTOCOLS, parse_address
from workbench.model.site import Labels, Pod, labels_of
from workbench.verify.k8s import Cluster, NetworkPolicy, read
from workbench.verify.k8s.evaluate import Place

TEMPLATED = ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet")
FIRST_WINS = {"testcase3", "namedPorts"}
"""Cases that define one object in two files: the truth kept the first, elsewhere the last."""
CHOSEN: dict[tuple[str, str], dict[str, str]] = {
    ("namedPorts", "kube-system/kube-fluentd"): {"tier": "frontend"},
    ("withIpBlock", "kube-system/calico-node"): {"tier": ""},
    ("withIpBlock", "kube-system/keepalived-watcher"): {"tier": "not_frontend_for_demo"},
}
"""Owners whose pods differ in their labels: which pod the truth took, if not the first listed."""
NO_POLICIES = {"demo_short": 3162}
"""Case → rows: the policies it was computed from are not among the data."""
HOST_NAMES = 702
"""Rows of online_boutique with an Istio host name at one end: no Kubernetes object names them."""
PROTOCOLS_MERGED = 32
"""Rows of online_boutique that allow UDP and SCTP where every policy says `port` alone or TCP,
and TCP is allowed: the API reference says `protocol` defaults to TCP, the truth (which merges
Istio's objects in this case) says otherwise. We follow the reference."""

Row = dict[str, Any]


@pytest.fixture(scope="module")
def truth(shared_data: Path) -> dict[str, list[Row]]:
    rows: dict[str, list[Row]] = defaultdict(list)
    with gzip.open(shared_data / "k8s/truth/shared_k8s_truth.jsonl.gz", "rt") as lines:
        for line in lines:
            row = json.loads(line)
            rows[row["case"]].append(row)
    return rows


def _documents(path: Path) -> list[Row]:
    found: list[Row] = []
    for file in [path] if path.is_file() else sorted(path.rglob("*")):
        if file.suffix in (".yaml", ".json") and not file.stem.endswith(
            ("scheme", "scheme-demo", "readme")
        ):
            for document in yaml.load_all(file.read_text(), yaml.CSafeLoader):
                if document:
                    found += document.get("items", [document])
    return found


def _pods(documents: list[Row], namespaces: dict[str, Labels]) -> Iterator[tuple[str, Pod]]:
    """Owner's name → pod."""
    for document in documents:
        meta, spec = document["metadata"], document.get("spec", {})
        name, namespace = meta["name"], meta.get("namespace", "default")
        if document.get("kind") in TEMPLATED:
            meta, spec = spec["template"]["metadata"], spec["template"]["spec"]
        elif owners := meta.get("ownerReferences"):
            name = owners[0]["name"]
        ports = [
            (port["name"], PROTOCOLS[port.get("protocol", "TCP").lower()], port["containerPort"])
            for container in spec.get("containers", ())
            for port in container.get("ports") or ()
            if "name" in port
        ]
        if "containers" in spec:
            yield (
                f"{namespace}/{name}",
                Pod(
                    namespace,
                    name,
                    labels_of(meta.get("labels") or {}),
                    namespaces.get(namespace, ()),
                    tuple(ports),
                ),
            )


def _policies(documents: list[Row], *, first_wins: bool) -> list[NetworkPolicy]:
    found: dict[tuple[str, str], NetworkPolicy] = {}
    for document in documents:
        if document.get("kind") == "NetworkPolicy":
            (policy,) = read(json.dumps(document), namespace="default")
            key = policy.namespace, policy.name
            if not (first_wins and key in found):
                found[key] = policy
    return list(found.values())


class _Site:
    """One case: its policies and places."""

    def __init__(self, data: Path, case: str) -> None:
        self.name = case.partition("+")[0]
        documents = _documents(data / self.name)
        shared = case.endswith("+podlist")
        pods = _documents(data / "example_podlist/pods_list.json") if shared else documents
        spaces = _documents(data / "example_podlist/ns_list.json") if shared else documents
        labels = {
            item["metadata"]["name"]: labels_of(item["metadata"].get("labels") or {})
            for item in spaces
            if item.get("kind") == "Namespace" or "finalizers" in item.get("spec", {})
        }
        self.pods: dict[str, list[Pod]] = defaultdict(list)
        for owner, pod in _pods(pods, labels):
            self.pods[owner].append(pod)
        policies = _policies(documents, first_wins=self.name in FIRST_WINS)
        self.cluster = Cluster({}, policies)

    def place(self, end: str) -> Place | None:
        """None for an Istio host name."""
        if "/" in end:
            wanted = CHOSEN.get((self.name, end), {})
            fits = [
                pod
                for pod in self.pods[end]
                if all(dict(pod.labels).get(key, "") == value for key, value in wanted.items())
            ]
            return Place(0, fits[0])
        return Place(parse_address(end)) if end.replace(".", "").isdigit() else None

    def allows(self, row: Row) -> bool | None:
        client, server = self.place(row["src"]), self.place(row["dst"])
        if client is None or server is None:
            return None
        protocol = PROTOCOLS[row["proto"].lower()]
        same = row["src"] == row["dst"]
        return same or self.cluster.allows(client, server, protocol, row["port"])


def test_every_row_matches_or_is_explained(shared_data: Path, truth: dict[str, list[Row]]) -> None:
    assert sum(map(len, truth.values())) == 40_176
    compared = 0
    for case, rows in truth.items():
        name = case.partition("+")[0]
        if name in NO_POLICIES:
            assert not (shared_data / "k8s/nca" / name).exists()
            assert len(rows) == NO_POLICIES[name]
            continue
        site = _Site(shared_data / "k8s/nca", case)
        answers = [(row, site.allows(row)) for row in rows]
        unnamed = [row for row, answer in answers if answer is None]
        wrong = [row for row, answer in answers if answer not in (None, row["allow"])]
        compared += len(rows) - len(unnamed) - len(wrong)
        if name == "online_boutique":
            assert len(unnamed) == HOST_NAMES
            assert len(wrong) == PROTOCOLS_MERGED
            for row in wrong:
                assert row["allow"] and row["proto"] in ("UDP", "SCTP"), row
                assert site.allows(row | {"proto": "TCP"}), row
        else:
            assert not unnamed
            assert not wrong, (case, wrong[:3])
    assert compared == 40_176 - 3162 - HOST_NAMES - PROTOCOLS_MERGED
