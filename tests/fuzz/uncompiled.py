"""The capture room a second time, as plain Python: the kernel without its extension modules."""

import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType

import workbench

ROOM = "workbench.capture"
FOLDER = Path(workbench.__file__).parent / "capture"

Instrument = Callable[[CodeType], CodeType]


class _Loader(SourceFileLoader):
    """Source, never cached bytecode: what is instrumented must not be kept."""

    instrument: Instrument | None = None

    def get_code(self, fullname: str) -> CodeType:
        code = self.source_to_code(self.get_data(self.path), self.path)
        assert isinstance(code, CodeType)
        return self.instrument(code) if self.instrument else code


class _Finder(MetaPathFinder):
    def __init__(self, instrument: Instrument | None, compiled: bool) -> None:
        self._instrument, self._compiled = instrument, compiled

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != ROOM and not name.startswith(f"{ROOM}."):
            return None
        folder = FOLDER.joinpath(*name.removeprefix(ROOM).split(".")[1:])
        package = folder.is_dir()
        file = folder / "__init__.py" if package else folder.with_suffix(".py")
        if self._compiled and any(file.with_suffix(end).exists() for end in EXTENSION_SUFFIXES):
            return None
        loader = _Loader(name, str(file))
        loader.instrument = self._instrument
        inside = [str(folder)] if package else None
        return spec_from_file_location(name, file, loader=loader, submodule_search_locations=inside)


def capture_room(*, compiled: bool, instrument: Instrument | None = None) -> ModuleType:
    """`workbench.capture` imported anew, beside the one that everybody else has.

    instrument: rewrites the code objects of its Python modules, to see what an input reaches.
    """
    with _aside():
        finder = _Finder(instrument, compiled)
        sys.meta_path.insert(0, finder)
        try:
            room = importlib.import_module(ROOM)
            importlib.import_module(f"{ROOM}.reader")
        finally:
            sys.meta_path.remove(finder)
        return room


@contextmanager
def _aside() -> Iterator[None]:
    """The modules of the room are others inside, and the same again afterwards."""
    mine = {name: sys.modules.pop(name) for name in list(sys.modules) if _is_room(name)}
    before = getattr(workbench, "capture", None)
    try:
        yield
    finally:
        for name in list(sys.modules):
            if _is_room(name):
                del sys.modules[name]
        sys.modules.update(mine)
        if before is not None:
            workbench.capture = before  # type: ignore[attr-defined]


def _is_room(name: str) -> bool:
    return name == ROOM or name.startswith(f"{ROOM}.")
