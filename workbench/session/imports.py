"""Host lists that others keep: which reader fits a file."""

from pathlib import Path

from workbench.documents import read_text
from workbench.inventory import read_hosts_csv, read_hosts_file, read_kubectl
from workbench.model.errors import InventoryError
from workbench.model.site import Host

READERS = {"csv": read_hosts_csv, "hosts": read_hosts_file, "kubectl": read_kubectl}
_BY_SUFFIX = {".csv": "csv", ".json": "kubectl", ".hosts": "hosts", ".txt": "hosts", "": "hosts"}


def read_hosts(path: Path, kind: str | None = None) -> tuple[Host, ...]:
    """Hosts of a file; without `kind` its suffix decides. Raises InventoryError."""
    chosen = kind or _BY_SUFFIX.get(path.suffix.lower())
    if chosen is None:
        raise InventoryError(
            f"cannot tell what kind of host list this is; say one of {', '.join(READERS)}",
            file=str(path),
        )
    return READERS[chosen](read_text(path), str(path))
