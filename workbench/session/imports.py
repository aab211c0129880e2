"""Host lists that others keep: which reader fits a file."""

from collections.abc import Callable
from pathlib import Path

from workbench.documents import read_text
from workbench.inventory import read_hosts_csv, read_hosts_file, read_kubectl
from workbench.model.errors import InventoryError
from workbench.model.site import Host

KINDS = ("csv", "hosts", "kubectl")
_BY_SUFFIX = {".csv": "csv", ".json": "kubectl", ".hosts": "hosts", ".txt": "hosts", "": "hosts"}


def read_hosts(path: Path, kind: str | None, note: Callable[[str], None]) -> tuple[Host, ...]:
    """Hosts of a file; without `kind` its suffix decides; `note` is told what was left out.

    Raises InventoryError, also where there is no host in it.
    """
    chosen = kind or _BY_SUFFIX.get(path.suffix.lower())
    if chosen is None:
        raise InventoryError(
            f"cannot tell what kind of host list this is; say one of {', '.join(KINDS)}",
            file=str(path),
        )
    text, name = read_text(path), str(path)
    if chosen == "kubectl":
        found = read_kubectl(text, name, note=note)
    else:
        found = (read_hosts_csv if chosen == "csv" else read_hosts_file)(text, name)
    if not found:
        raise InventoryError("there is no host in it", file=name)
    return found
