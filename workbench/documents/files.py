"""Files the user wrote are never lost: read once, written atomically, the previous version kept."""

import contextlib
import fcntl
import hashlib
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from types import EllipsisType

from workbench.model.errors import FileChanged, InputError

MAX_BYTES = 64_000_000
"""A larger text file is not one of ours."""


def digest(text: str) -> str:
    """What `write_atomic` expects to find: SHA-256 of the UTF-8 text, hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def read_text(path: Path) -> str:
    """A regular UTF-8 file, line ends as they are. Raises InputError with one line."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):  # a FIFO would block, a device never ends
            raise InputError(f"{path}: not a regular file")
        if found.st_size > MAX_BYTES:
            raise InputError(f"{path}: larger than {MAX_BYTES // 1_000_000} MB")
        return path.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text (byte {error.start})") from error
    except OSError as error:
        raise InputError(f"{path}: cannot read: {error.strerror}") from error


def read_if_there(path: Path) -> str | None:
    """`read_text`, or None where there is nothing. A link that leads nowhere is not nothing: what
    it should lead to may be a disk that is not mounted, and no policy would allow everything."""
    return read_text(path) if os.path.lexists(path) else None


def write_atomic(path: Path, text: str, *, expected: str | EllipsisType | None = ...) -> None:
    """Write `text` so that `path` always holds the old or the new text, whole.

    The text goes to a temporary file in the same folder, is synced, and takes the name; the
    previous version stays beside it as `<name>~`, and its mode is kept. `expected` is the digest
    of the text that was read from `path`, or None when there was no file; anything else on disk
    raises FileChanged and nothing is written. Left out, whatever is there is replaced. Symbolic
    links are refused: replacing one, or writing through it, would surprise somebody. Raises
    InputError where the file cannot be written.
    """
    try:
        old = _present(path)
        _refuse_changed(path, old, expected)
        fresh = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
        try:
            _write_synced(fresh, text, old)
            with _one_writer(path.parent):
                found = _present(path)
                _refuse_changed(path, found, expected)
                if found:
                    _keep(path)
                fresh.replace(path)
        finally:
            fresh.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"{path}: cannot write: {error.strerror}") from error


def _present(path: Path) -> os.stat_result | None:
    """What is there now; None for nothing. Raises InputError for what we do not replace."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(found.st_mode):
        raise InputError(f"{path}: is a symbolic link; nothing was written")
    if not stat.S_ISREG(found.st_mode):
        raise InputError(f"{path}: is not a regular file; nothing was written")
    if not os.access(path, os.W_OK):
        raise InputError(f"{path}: is read-only; nothing was written")
    return found


def _refuse_changed(
    path: Path, found: os.stat_result | None, expected: str | EllipsisType | None
) -> None:
    if isinstance(expected, EllipsisType) or (found is None and expected is None):
        return
    if found is None:
        raise FileChanged(f"{path}: was deleted since it was read; nothing was written")
    if expected is None:
        raise FileChanged(f"{path}: appeared since the folder was read; nothing was written")
    if hashlib.sha256(path.read_bytes()).hexdigest() != expected:
        raise FileChanged(f"{path}: changed on disk since it was read; nothing was written")


def _write_synced(path: Path, text: str, like: os.stat_result | None) -> None:
    """A new file holding `text` that survives a power cut, with the mode and owner of `like`."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(path, flags, 0o666), "wb") as file:
        if like:
            with contextlib.suppress(PermissionError):  # not ours to give away
                os.fchown(file.fileno(), like.st_uid, like.st_gid)
            os.fchmod(file.fileno(), stat.S_IMODE(like.st_mode))
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())


def _keep(path: Path) -> None:
    """The current version under a second name, `<name>~`, without `path` ever being absent."""
    spare = path.with_name(f".{path.name}.{secrets.token_hex(6)}.old")
    try:
        try:
            os.link(path, spare, follow_symlinks=False)
        except OSError:  # file systems without hard links
            shutil.copy2(path, spare, follow_symlinks=False)
        spare.replace(path.with_name(path.name + "~"))
    finally:
        spare.unlink(missing_ok=True)


@contextlib.contextmanager
def _one_writer(folder: Path) -> Iterator[None]:
    """Between looking and taking the name no other workbench writes; synced at the end."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # file systems without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
        os.fsync(handle)
    finally:
        os.close(handle)
