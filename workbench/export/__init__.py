"""A resolved policy to files, one module a target."""

from collections.abc import Callable
from dataclasses import dataclass

from workbench.export import kubernetes, nftables
from workbench.model.errors import InputError
from workbench.model.policy import ResolvedPolicy
from workbench.model.rendered import Rendered
from workbench.model.site import Inventory

__all__ = ["EXPORTERS", "Exporter", "render"]


@dataclass(frozen=True, slots=True)
class Exporter:
    """One target."""

    name: str
    title: str
    description: str
    """One line."""
    render: Callable[[ResolvedPolicy, Inventory], Rendered]
    """Raises UnsupportedPolicy when the target cannot say what the policy says."""


EXPORTERS: dict[str, Exporter] = {
    exporter.name: exporter
    for exporter in (
        Exporter(
            nftables.TARGET,
            "nftables gateway",
            "one ruleset for the forward chain of a Linux router or firewall",
            nftables.render,
        ),
        Exporter(
            kubernetes.TARGET,
            "Kubernetes NetworkPolicy",
            "one file of NetworkPolicy objects for the protected pods of a cluster",
            kubernetes.render,
        ),
    )
}


def render(target: str, policy: ResolvedPolicy, inventory: Inventory) -> Rendered:
    """Render for one target, or refuse: a dropped clause is a hole.

    Raises InputError for an unknown target, UnsupportedPolicy for what the target cannot say.
    """
    if target not in EXPORTERS:
        raise InputError(f"unknown target {target!r}; targets are {', '.join(EXPORTERS)}")
    return EXPORTERS[target].render(policy, inventory)
