"""inventory.yaml, host lists and Kubernetes facts: hosts and their labels."""

from workbench.inventory.document import dump_inventory, load_inventory, update_text
from workbench.inventory.edit import merge, rename_host, set_labels
from workbench.inventory.kubectl import read_kubectl
from workbench.inventory.lists import read_hosts_csv, read_hosts_file
from workbench.inventory.validate import validate

__all__ = [
    "dump_inventory",
    "load_inventory",
    "merge",
    "read_hosts_csv",
    "read_hosts_file",
    "read_kubectl",
    "rename_host",
    "set_labels",
    "update_text",
    "validate",
]
