"""inventory.yaml: what is written reads back; merging and labelling keep what they promise."""

import json
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import INSIDE, inventories, label_maps, pods

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
    validate,
)
from workbench.model.errors import InventoryError
from workbench.model.net import format_address
from workbench.model.site import Host, Inventory, labels_of


@st.composite
def host_lists(draw: st.DrawFn) -> tuple[Host, ...]:
    """Hosts as an importer gives them: names and addresses each once."""
    free = draw(st.lists(st.sampled_from(INSIDE), unique=True, max_size=8))
    found = []
    for number in range(len(free) // 2):
        own = tuple(free[2 * number : 2 * number + draw(st.integers(1, 2))])
        pod = draw(st.none() | pods())
        name = format_address(own[0]) if draw(st.booleans()) else f"host-{number}"
        if pod:
            name, pod = f"pod-{number}", replace(pod, name=f"pod-{number}")
        found.append(Host(name, own, labels_of(draw(label_maps())), pod))
    return tuple(found)


@given(inventories())
@settings(max_examples=100)
def test_text_round_trips(inventory: Inventory) -> None:
    assert load_inventory(dump_inventory(inventory)) == inventory


@given(inventories(), inventories(), st.integers(0, 3))
@settings(max_examples=100)
def test_saving_reads_back_and_keeps_comments(old: Inventory, new: Inventory, every: int) -> None:
    lines = dump_inventory(old).splitlines()
    text = "\n".join(
        f"{line}   # {at}" if at % 4 == every else line for at, line in enumerate(lines)
    )
    saved = update_text(text, new)
    assert load_inventory(saved) == new
    assert update_text(text, old) == text
    if old.hosts and new.hosts:
        grown = replace(old, hosts=(*old.hosts, Host("new-host", (1,))))
        assert set(text.splitlines()) <= set(update_text(text, grown).splitlines())


@given(inventories(), host_lists())
@settings(max_examples=120)
def test_merging_keeps_every_address_once_and_believes_the_newcomer(
    inventory: Inventory, hosts: tuple[Host, ...]
) -> None:
    merged = merge(inventory, hosts)
    validate(merged)
    assert set(merged.by_address) >= {one for host in hosts for one in host.addresses}
    for host in hosts:
        for address in host.addresses:
            found = merged.by_address[address]
            assert set(found.addresses) >= set(host.addresses)
            assert dict(host.labels).items() <= dict(found.labels).items()
            assert host.pod is None or found.pod == host.pod
    untouched = {
        host.name for host in inventory.hosts if not set(host.addresses) & set(inventory_of(hosts))
    } - {host.name for host in hosts}
    assert untouched <= {host.name for host in merged.hosts}
    again = merge(merged, hosts)
    assert [(h.addresses, h.labels, h.pod) for h in again.hosts] == [
        (h.addresses, h.labels, h.pod) for h in merged.hosts
    ]


def inventory_of(hosts: tuple[Host, ...]) -> dict[int, Host]:
    return Inventory(hosts).by_address


@given(inventories(), st.sets(st.sampled_from(INSIDE)), label_maps())
@settings(max_examples=100)
def test_labels_can_be_set_and_taken_away(
    inventory: Inventory, addresses: set[int], labels: dict[str, str]
) -> None:
    labelled = set_labels(inventory, addresses, labels)
    validate(labelled)
    for address in addresses:
        assert labels.items() <= labelled.labels(address).items()
    cleared = set_labels(labelled, addresses, dict.fromkeys(("role", "env", "zone")))
    for address in addresses:
        host = cleared.by_address.get(address)
        assert host is None or host.labels == ()
    chosen = {id(inventory.by_address[one]) for one in addresses if one in inventory.by_address}
    for host in inventory.hosts:
        if id(host) not in chosen:
            assert host in labelled.hosts and host in cleared.hosts


@given(inventories(), st.sampled_from(INSIDE))
def test_renaming_names_the_host_and_no_other(inventory: Inventory, address: int) -> None:
    renamed = rename_host(inventory, address, "renamed")
    assert renamed.name(address) == "renamed"
    for other in INSIDE:
        if inventory.by_address.get(other) is not inventory.by_address.get(address):
            assert renamed.name(other) == inventory.name(other)


@given(
    st.text(max_size=120), st.sampled_from(["", "name,address,role\n", '{"items": [', "10.0.0.1 "])
)
@settings(max_examples=200)
def test_any_text_reads_or_says_why(text: str, start: str) -> None:
    for read in (load_inventory, read_hosts_csv, read_hosts_file, read_kubectl):
        try:
            read(start + text, "given")
        except InventoryError as error:
            assert str(error).startswith("given")
            assert "\n" not in str(error)


KEYS = [
    "kind",
    "items",
    "metadata",
    "name",
    "namespace",
    "labels",
    "spec",
    "status",
    "podIP",
    "podIPs",
    "ip",
    "containers",
    "ports",
    "containerPort",
    "protocol",
    "hostNetwork",
]
WORDS = ("Pod", "a", "10.0.0.1", "\x07", "")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(WORDS),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5)
    ),
    max_leaves=12,
)


@given(st.lists(JSON, max_size=3), st.booleans())
@settings(max_examples=200)
def test_any_json_reads_or_says_why(items: list[object], typed: bool) -> None:
    document = {"kind": "PodList" if typed else "List", "items": items}
    try:
        read_kubectl(json.dumps(document), "given")
    except InventoryError as error:
        assert str(error).startswith("given")
        assert "\n" not in str(error)
