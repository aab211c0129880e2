"""The demo site: a workspace made from what ships with the workbench."""

import os
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import workbench
from workbench.model.errors import InputError

DOCUMENTS = ("inventory.yaml", "policy.yaml")


def demo_folder() -> Path:
    """Where the demo site is: in the checkout, or in the installation's share folder."""
    checkout = Path(workbench.__file__).resolve().parents[1] / "demo_data"
    installed = Path(sysconfig.get_path("data")) / "share" / "segmentation-workbench" / "demo"
    for folder in (checkout, installed):
        if (folder / "policy.yaml").is_file():
            return folder
    raise InputError(f"the demo site is not installed (looked in {checkout} and {installed})")


def demo_captures(folder: Path) -> tuple[Path, ...]:
    """The recorded captures of the demo site."""
    return tuple(sorted(path for path in folder.iterdir() if ".pcap" in path.name))


@contextmanager
def demo_workspace(keep: Path | None) -> Iterator[Path]:
    """A workspace with the demo site's inventory and policy; without `keep` it goes away again."""
    source = demo_folder()
    if keep is not None:
        from workbench.session import workspace_folder

        folder = workspace_folder(keep)
        _copy(source, folder)
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="workbench-demo-") as scratch:
        folder = Path(scratch) / "demo"
        folder.mkdir()
        _copy(source, folder)
        yield folder


def _copy(source: Path, folder: Path) -> None:
    for name in DOCUMENTS:
        file = folder / name
        if os.path.lexists(file):  # a kept workspace may hold the user's own edits
            continue
        try:
            file.write_bytes((source / name).read_bytes())
        except OSError as error:
            with suppress(OSError):
                file.unlink()  # half of it would be taken for the user's own
            raise InputError(f"{file}: cannot write: {error.strerror}") from error


def run_demo(keep: Path | None, *, headless: bool) -> int:
    """Open the interface on the demo site, or walk the loop in text."""
    captures = demo_captures(demo_folder())
    with demo_workspace(keep) as folder:
        if headless:
            from workbench.cli.walk import walk

            return walk(folder, captures)
        from workbench.tui import run

        if keep is None:
            print(
                f"the demo workspace {folder} goes away at the end; --keep FOLDER keeps it",
                file=sys.stderr,
            )
        return run(folder, captures)
