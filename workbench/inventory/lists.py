"""Hosts from lists that others keep: CSV exports and hosts files."""

import csv
import io
import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from workbench.documents import label_key_problem, label_problem, unprintable
from workbench.inventory.validate import name_problem, validate
from workbench.model.errors import InventoryError
from workbench.model.net import format_address, parse_address
from workbench.model.site import Host, Inventory, labels_of
from workbench.model.verdict import NOT_POLICY

MAX_HOSTS = 200_000
"""Hosts taken from one list."""
MAX_COLUMNS = 200
"""Columns of a CSV: a name, an address and labels."""
_NAMES = ("name", "host", "hostname")
_ADDRESSES = ("address", "addresses", "ip")
_SEPARATORS = re.compile(r"[\s;,|]+")

Wrong = Callable[[str], InventoryError]
"""Makes the error about the line being read."""


def read_hosts_csv(text: str, file: str = "hosts.csv") -> tuple[Host, ...]:
    """Hosts from `name,address,label…` with a header; several addresses are parted by spaces.

    Commas, semicolons or tabs part the columns, whichever the header uses; empty cells are no
    labels; rows with one name are one host. Raises InventoryError with file and line.
    """
    text = text.removeprefix("\ufeff")
    header = text.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)

    def wrong(problem: str) -> InventoryError:
        return InventoryError(problem, file=file, line=max(reader.line_num, 1))

    try:
        columns = _columns(next(reader, []), wrong)
        rows = (row for row in reader if any(cell.strip() for cell in row))
        return gathered((_csv_host(columns, row, wrong) for row in rows), wrong)
    except csv.Error as error:
        raise wrong(f"not CSV: {error}") from error


def read_hosts_file(text: str, file: str = "hosts") -> tuple[Host, ...]:
    """Hosts from the format of hosts(5): an address, a name, aliases (ignored), a comment.

    Loopback, link-local and multicast lines are skipped; the first name of an address counts.
    Raises InventoryError with file and line.
    """
    found: dict[int, Host] = {}
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        wrong = partial(InventoryError, file=file, line=number)
        words = line.partition("#")[0].split()
        if not words:
            continue
        address = _address(words[0].partition("%")[0], wrong)
        if len(words) < 2:
            raise wrong("expected an address and a name")
        if address not in NOT_POLICY and address not in found:
            found[address] = Host(_name(words[1], wrong), (address,))
    return gathered(found.values(), partial(InventoryError, file=file))


def gathered(hosts: Iterable[Host], wrong: Wrong) -> tuple[Host, ...]:
    """Hosts of one name as one host; raises what `wrong` makes for a host that cannot be listed."""
    found: dict[str, Host] = {}
    owners: dict[int, str] = {}
    for host in hosts:
        if len(found) >= MAX_HOSTS:
            raise wrong(f"more than {MAX_HOSTS} hosts")
        for address in host.addresses:
            if owners.setdefault(address, host.name) != host.name:
                owner = owners[address]
                raise wrong(f"{format_address(address)} is already an address of {owner!r}")
        old = found.get(host.name, host)
        for key, value in host.labels:
            if (known := dict(old.labels).get(key, value)) != value:
                raise wrong(f"{host.name!r} has {key}={known} and {key}={value}")
        addresses = tuple(dict.fromkeys((*old.addresses, *host.addresses)))
        labels = labels_of(dict(old.labels) | dict(host.labels))
        found[host.name] = Host(host.name, addresses, labels, host.pod)
    try:
        validate(Inventory(tuple(found.values())))
    except InventoryError as error:
        raise InventoryError(error.problem, file=wrong("").file, where=error.where) from error
    return tuple(found.values())


def _columns(header: Sequence[str], wrong: Wrong) -> list[str]:
    """Column names: `name`, `address`, or a label key each."""
    if len(header) > MAX_COLUMNS:
        raise wrong(f"header: more than {MAX_COLUMNS} columns")
    columns: list[str] = []
    for cell in header:
        column = "-".join(cell.strip().lower().split())
        column = "name" if column in _NAMES else "address" if column in _ADDRESSES else column
        if problem := label_key_problem(column):
            raise wrong(f"header: {problem}")
        if column in columns:
            raise wrong(f"header: {column!r} is written twice")
        columns.append(column)
    if "address" not in columns:
        raise wrong(f"the header has no `address` column{_nearest(columns)}")
    return columns


def _nearest(columns: Sequence[str]) -> str:
    return f" (it has {', '.join(columns[:8])})" if columns else ""


def _csv_host(columns: Sequence[str], row: Sequence[str], wrong: Wrong) -> Host:
    if len(row) > len(columns):
        raise wrong(f"has {len(row)} cells, the header {len(columns)}")
    cells = dict(zip(columns, (cell.strip() for cell in row), strict=False))
    words = [word for word in _SEPARATORS.split(cells.pop("address", "")) if word]
    if not words:
        raise wrong("has no address")
    addresses = tuple(dict.fromkeys(_address(word, wrong) for word in words))
    name = _name(cells.pop("name", ""), wrong) or format_address(addresses[0])
    labels = {key: value for key, value in cells.items() if value}
    for key, value in labels.items():
        if problem := label_problem(value):
            raise wrong(f"{key}: {problem}")
    return Host(name, addresses, labels_of(labels))


def _address(text: str, wrong: Wrong) -> int:
    try:
        return parse_address(text)
    except ValueError:
        raise wrong(f"{text[:80]!r} is not an IPv4 or IPv6 address") from None


def _name(text: str, wrong: Wrong) -> str:
    """A host name; spaces and commas, which a filter cannot hold, become dashes."""
    if problem := unprintable(text):
        raise wrong(problem)
    name = _SEPARATORS.sub("-", text)
    if name and (problem := name_problem(name)):
        raise wrong(problem)
    return name
