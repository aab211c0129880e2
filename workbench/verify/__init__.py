"""Exported files → verdicts, compared with the policy they were made from.

Nothing here imports or imitates the exporters: the files are read as nft or the Kubernetes API
would read them, every observed conversation and every edge of the policy is judged, and each
difference is reported. What could not be checked is said, never assumed.
"""

from collections.abc import Callable, Mapping

from workbench.model.errors import Cancelled, InputError
from workbench.model.policy import ResolvedPolicy
from workbench.model.rendered import Verification
from workbench.model.site import Inventory
from workbench.model.traffic import ConversationTable, Progress, Stop, Tell
from workbench.verify.compare import Case, Decide
from workbench.verify.kubernetes import verify_kubernetes
from workbench.verify.nftables import verify_nftables

__all__ = ["TARGETS", "verify"]

TARGETS: Mapping[str, Callable[[Mapping[str, str], Case], Verification]] = {
    "nftables": verify_nftables,
    "kubernetes": verify_kubernetes,
}


def verify(
    target: str,
    files: Mapping[str, str],
    policy: ResolvedPolicy,
    table: ConversationTable,
    inventory: Inventory,
    decide: Decide,
    *,
    kernel: bool = True,
    progress: Tell = None,
    cancelled: Stop = None,
) -> Verification:
    """Judge every observed conversation and the policy's edges by the files, against `decide`.

    `files`: name → text as exported. `policy` must be restricted to the segments that were
    exported. `kernel`: also load nftables files in a throw-away namespace where the system allows.
    Raises InputError for an unknown target, Cancelled when `cancelled` says so.
    """
    if target not in TARGETS:
        raise InputError(f"no verifier for {target!r}; there are {', '.join(TARGETS)}")

    def step(label: str, done: int, total: int) -> None:
        if cancelled and cancelled():
            raise Cancelled("verification stopped")
        if progress:
            progress(Progress(label, done, total))

    case = Case(policy, table, inventory, decide, kernel, step)
    return TARGETS[target](files, case)
