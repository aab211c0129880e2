"""Which hosts a scanner means: by address, by name, by pod or image, or as the user says."""

from collections import defaultdict
from collections.abc import Iterable

from workbench.model.site import Host, Inventory
from workbench.model.verdict import NOT_POLICY
from workbench.model.vulnerability import Target

IMAGE = "image"
"""The label (`image`, or a key that ends in `/image`) that says what a host runs."""


class Owners:
    """Looks targets up in an inventory. Names that captures claim are not believed here."""

    def __init__(self, inventory: Inventory, given: Iterable[int] = ()) -> None:
        """given: hosts that own every finding in an image or a folder."""
        self._given = tuple(given)
        self._names: dict[str, Host] = {}
        short: defaultdict[str, list[Host]] = defaultdict(list)
        self._images: defaultdict[str, list[Host]] = defaultdict(list)
        self._pods: defaultdict[str, list[Host]] = defaultdict(list)
        for host in inventory.hosts:
            self._names[host.name.casefold()] = host
            short[_first_part(host.name)].append(host)
            labels = [*host.labels, *(host.pod.labels if host.pod else ())]
            for image in {value for key, value in labels if key.rpartition("/")[2] == IMAGE}:
                self._images[image].append(host)
            if host.pod:
                self._pods[host.pod.namespace].append(host)
        self._short = {name: hosts[0] for name, hosts in short.items() if len(hosts) == 1}

    def of(self, target: Target) -> tuple[int, ...]:
        """Addresses, one a host; empty where nobody is meant."""
        if target.address is not None and target.address not in NOT_POLICY:
            return (target.address,)
        if target.image and self._given:
            return self._given
        for name in target.names:
            host = self._names.get(name.casefold()) or self._short.get(_first_part(name))
            if host:
                return host.addresses[:1]
        hosts = self._workload(target) or self._image(target.image)
        return tuple(dict.fromkeys(host.addresses[0] for host in hosts))

    def _workload(self, target: Target) -> list[Host]:
        """Pods of the name, or named after it as those of a Deployment are: `cart-7d9f-x2`."""
        if not target.workload:
            return []
        names = ((host, host.pod.name) for host in self._pods[target.namespace] if host.pod)
        wanted = target.workload
        return [host for host, name in names if name == wanted or name.startswith(f"{wanted}-")]

    def _image(self, image: str) -> list[Host]:
        for name in _spellings(image):
            if name in self._images:
                return self._images[name]
        return []


def _first_part(name: str) -> str:
    """`db-1` of `DB-1.example.org`; an address stays whole."""
    return name.casefold() if name[:1].isdigit() or ":" in name else name.casefold().split(".")[0]


def _spellings(image: str) -> Iterable[str]:
    """An image's name from exact to loose: without digest, without tag, without registry."""
    if not image:
        return
    yield image
    name = image.partition("@")[0]
    bare = name[: name.rfind(":")] if name.rfind(":") > name.rfind("/") else name
    for text in (name, bare):
        yield text
        registry, _, rest = text.partition("/")
        if rest and ("." in registry or ":" in registry or registry == "localhost"):
            yield rest
            yield rest.removeprefix("library/")
