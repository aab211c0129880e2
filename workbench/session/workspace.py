"""The workspace folder: where each thing lives, and the user's text files in it."""

from dataclasses import dataclass
from pathlib import Path

from workbench.documents import digest, read_text, write_atomic
from workbench.inventory import dump_inventory, load_inventory
from workbench.model.errors import InputError
from workbench.model.policy import Policy
from workbench.model.site import Inventory
from workbench.policy import dump_policy, load_policy, update_text


@dataclass
class Document:
    """One of the user's files as last read or written by us."""

    path: Path
    text: str | None = None
    """None while the file does not exist."""

    @classmethod
    def read(cls, path: Path) -> "Document":
        return cls(path, read_text(path) if path.exists() else None)

    @property
    def changed_on_disk(self) -> bool:
        current = read_text(self.path) if self.path.exists() else None
        return current != self.text

    def write(self, text: str) -> None:
        """Replace the file atomically; raises FileChanged if it is not what we read."""
        if text == self.text:
            return
        expected = None if self.text is None else digest(self.text)
        write_atomic(self.path, text, expected=expected)
        self.text = text


class Workspace:
    """`flows.duckdb`, `inventory.yaml`, `policy.yaml` and `exports/` in one folder."""

    def __init__(self, folder: Path) -> None:
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder}: a workspace is a folder, this is a file")
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{folder}: cannot make the workspace: {error.strerror}") from error
        self.folder = folder.resolve()
        self.read()

    def read(self) -> None:
        """Read the user's files anew; what is on disk becomes the saved state."""
        self._policy_file = Document.read(self.folder / "policy.yaml")
        self._inventory_file = Document.read(self.folder / "inventory.yaml")
        self.policy = self._load_policy()
        self.inventory = self._load_inventory()

    def _load_policy(self) -> Policy:
        text = self._policy_file.text
        return Policy() if text is None else load_policy(text, str(self._policy_file.path))

    def _load_inventory(self) -> Inventory:
        text = self._inventory_file.text
        return Inventory() if text is None else load_inventory(text, str(self._inventory_file.path))

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def store_path(self) -> Path:
        return self.folder / "flows.duckdb"

    @property
    def exports(self) -> Path:
        return self.folder / "exports"

    @property
    def changed_on_disk(self) -> bool:
        """Whether somebody else edited the policy or the inventory since we read them."""
        return self._policy_file.changed_on_disk or self._inventory_file.changed_on_disk

    def save(self, policy: Policy, inventory: Inventory) -> None:
        """Write what differs from disk, keeping the comments of what did not change."""
        if inventory != self.inventory:
            self._inventory_file.write(dump_inventory(inventory))
            self.inventory = inventory
        if policy != self.policy:
            old = self._policy_file.text
            self._policy_file.write(update_text(old, policy) if old else dump_policy(policy))
            self.policy = policy
