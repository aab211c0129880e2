"""Writing a file the user owns: whole or not at all, never over somebody else's change."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from workbench.documents import digest, files, read_text, write_atomic
from workbench.model.errors import FileChanged, InputError


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_new_file(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    write_atomic(path, "größer\n", expected=None)
    assert path.read_bytes() == "größer\n".encode()
    assert names(tmp_path) == ["policy.yaml"]


def test_the_previous_version_and_the_mode_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("one")
    path.chmod(0o640)
    write_atomic(path, "two", expected=digest("one"))
    write_atomic(path, "three", expected=digest("two"))
    assert (path.read_text(), (tmp_path / "policy.yaml~").read_text()) == ("three", "two")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert names(tmp_path) == ["policy.yaml", "policy.yaml~"]


def test_of_several_writers_at_once_nobody_loses_what_was_saved(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("0")

    def add_one(_: int) -> None:
        while True:
            text = read_text(path)
            try:
                write_atomic(path, str(int(text) + 1), expected=digest(text))
            except FileChanged:
                continue
            return

    with ThreadPoolExecutor(4) as writers:
        list(writers.map(add_one, range(100)))
    assert path.read_text() == "100"


@pytest.mark.parametrize(
    ("on_disk", "expected", "problem"),
    [
        ("theirs", digest("mine"), "changed on disk"),
        ("theirs", None, "appeared"),
        (None, digest("mine"), "was deleted"),
    ],
)
def test_somebody_elses_change_is_never_overwritten(
    tmp_path: Path, on_disk: str | None, expected: str | None, problem: str
) -> None:
    path = tmp_path / "policy.yaml"
    if on_disk is not None:
        path.write_text(on_disk)
    before = names(tmp_path)
    with pytest.raises(FileChanged, match=problem):
        write_atomic(path, "new", expected=expected)
    assert names(tmp_path) == before
    assert on_disk is None or path.read_text() == on_disk


def test_a_change_while_we_write_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("one")
    write = files._write_synced

    def slow(*arguments: object) -> None:
        write(*arguments)  # type: ignore[arg-type]
        path.write_text("theirs")

    monkeypatch.setattr(files, "_write_synced", slow)
    with pytest.raises(FileChanged):
        write_atomic(path, "two", expected=digest("one"))
    assert path.read_text() == "theirs"
    assert names(tmp_path) == ["policy.yaml"]


def test_without_an_expectation_whatever_is_there_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "rules.nft"
    write_atomic(path, "one")
    write_atomic(path, "two")
    assert (path.read_text(), (tmp_path / "rules.nft~").read_text()) == ("two", "one")


def test_symbolic_links_are_refused_and_their_targets_untouched(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("precious")
    for link in (tmp_path / "policy.yaml", tmp_path / "dangling"):
        link.symlink_to(target if link.name == "policy.yaml" else tmp_path / "nowhere")
        with pytest.raises(InputError, match="symbolic link"):
            write_atomic(link, "new")
        assert link.is_symlink()
    assert target.read_text() == "precious"
    assert not (tmp_path / "nowhere").exists()


def test_a_link_in_the_place_of_the_previous_version_is_replaced_not_followed(
    tmp_path: Path,
) -> None:
    target = tmp_path / "target"
    target.write_text("precious")
    path = tmp_path / "policy.yaml"
    path.write_text("one")
    (tmp_path / "policy.yaml~").symlink_to(target)
    write_atomic(path, "two")
    assert target.read_text() == "precious"
    assert (tmp_path / "policy.yaml~").read_text() == "one"


def test_folders_and_missing_folders_give_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a regular file"):
        write_atomic(tmp_path, "x")
    with pytest.raises(InputError, match="cannot write: No such file"):
        write_atomic(tmp_path / "no" / "such" / "file", "x")


def test_a_failure_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("one")

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="cannot write: No space left"):
        write_atomic(path, "two")
    assert path.read_text() == "one"
    assert names(tmp_path) == ["policy.yaml"]


def test_the_previous_version_is_kept_without_hard_links_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_arguments: object, **_options: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    path = tmp_path / "policy.yaml"
    path.write_text("one")
    write_atomic(path, "two")
    assert (path.read_text(), (tmp_path / "policy.yaml~").read_text()) == ("two", "one")
    assert names(tmp_path) == ["policy.yaml", "policy.yaml~"]


def test_reading_refuses_what_is_no_text_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "latin").write_bytes(b"ab\xff")
    (tmp_path / "crlf").write_bytes(b"a\r\nb")
    monkeypatch.setattr(files, "MAX_BYTES", 100)
    (tmp_path / "huge").write_bytes(b"x" * 101)
    assert read_text(tmp_path / "crlf") == "a\r\nb"
    for name, problem in {
        "fifo": "not a regular file",
        "latin": r"not UTF-8 text \(byte 2\)",
        "huge": "larger than",
        "missing": "cannot read: No such file",
    }.items():
        with pytest.raises(InputError, match=problem):
            read_text(tmp_path / name)
