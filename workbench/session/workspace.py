"""The workspace folder: where each thing lives, and the user's text files in it."""

from dataclasses import dataclass
from pathlib import Path

from workbench import inventory as hosts
from workbench import policy as rules
from workbench.documents import digest, read_if_there, write_atomic
from workbench.model.policy import Policy
from workbench.model.site import Inventory
from workbench.session.folder import EXPORTS, INVENTORY, POLICY, STORE, workspace_folder


@dataclass
class Document:
    """One of the user's files as last read or written by us."""

    path: Path
    text: str | None = None
    """None while the file does not exist."""

    @classmethod
    def read(cls, path: Path) -> "Document":
        return cls(path, read_if_there(path))

    @property
    def changed_on_disk(self) -> bool:
        return read_if_there(self.path) != self.text

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
        self.folder = workspace_folder(folder)
        self.read()

    def read(self) -> None:
        """Read the user's files anew; what is on disk becomes the saved state.

        All or nothing: files that cannot be understood leave everything as it was, so that saving
        still refuses to replace them.
        """
        policy_file = Document.read(self.folder / POLICY)
        inventory_file = Document.read(self.folder / INVENTORY)
        policy, inventory = Policy(), Inventory()
        if policy_file.text is not None:
            policy = rules.load_policy(policy_file.text, str(policy_file.path))
        if inventory_file.text is not None:
            inventory = hosts.load_inventory(inventory_file.text, str(inventory_file.path))
        self._policy_file, self._inventory_file = policy_file, inventory_file
        self.policy, self.inventory = policy, inventory

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def store_path(self) -> Path:
        return self.folder / STORE

    @property
    def exports(self) -> Path:
        return self.folder / EXPORTS

    @property
    def changed_on_disk(self) -> bool:
        """Whether somebody else edited the policy or the inventory since we read them."""
        return self._policy_file.changed_on_disk or self._inventory_file.changed_on_disk

    def save(self, policy: Policy, inventory: Inventory) -> None:
        """Write what differs from disk, keeping the comments of what did not change."""
        texts: list[tuple[Document, str]] = []  # all of them first: writing one must not fail later
        if inventory != self.inventory:
            old = self._inventory_file.text
            text = hosts.update_text(old, inventory) if old else hosts.dump_inventory(inventory)
            texts.append((self._inventory_file, text))
        if policy != self.policy:
            old = self._policy_file.text
            text = rules.update_text(old, policy) if old else rules.dump_policy(policy)
            texts.append((self._policy_file, text))
        for document, text in texts:
            document.write(text)
        self.policy, self.inventory = policy, inventory
