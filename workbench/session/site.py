"""What parts of the session need to know of the rest of it, by protocols that they add to."""

from typing import Protocol

from workbench.model.policy import Policy, ResolvedPolicy
from workbench.model.site import Inventory
from workbench.model.traffic import ConversationTable


class Recorded(Protocol):
    """Who is there, and who talked to whom."""

    @property
    def inventory(self) -> Inventory: ...
    @property
    def table(self) -> ConversationTable: ...


class Drafted(Recorded, Protocol):
    """And what may be said: the draft, and any policy without names."""

    @property
    def policy(self) -> Policy: ...
    def resolve(self, wanted: Policy) -> ResolvedPolicy: ...
