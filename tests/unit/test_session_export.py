"""Export folders: written, read back, edited, and made by somebody who means us harm."""

import json
import os
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from session_site import site

from workbench.model.errors import InputError, PolicyError, UnsupportedPolicy
from workbench.model.policy import Assertion, Guardrail
from workbench.session import Session
from workbench.session.exports import MANIFEST


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    with Session.open(site(tmp_path / "site"), on=date(2026, 6, 1)) as opened:
        yield opened


@pytest.fixture
def folder(session: Session, tmp_path: Path) -> Path:
    """A good export."""
    session.exports.write("nftables", tmp_path / "out")
    return tmp_path / "out"


def test_what_is_written_is_what_was_previewed(session: Session, folder: Path) -> None:
    rendered = session.exports.preview("nftables")
    assert {name: (folder / name).read_text() for name in rendered.files} == rendered.files
    assert session.exports.last("nftables") == {}
    paths = session.exports.write("nftables")
    assert paths[-1].name == MANIFEST
    assert all(path.parent == session.workspace / "exports" / "nftables" for path in paths)
    assert session.exports.last("nftables") == rendered.files


def test_what_no_file_can_keep_is_said(session: Session) -> None:
    """A rule's last day passes unnoticed on a gateway; a guardrail is no rule."""
    ends = (
        "old (2026-06-30): the last day ends a rule in the policy, not in the files; export again"
    )
    assert session.exports.preview("nftables").notes[0] == f"{ends} after it."
    session.draft.remove_rule("old")
    before = session.exports.preview("nftables").notes
    assert not any("last day" in note for note in before)
    session.draft.put_guardrail(
        Guardrail("no-web", Assertion.NEVER, ("web",), ("db",), ("tcp/5432",))
    )
    assert session.exports.preview("nftables").notes == (
        "The draft breaks no-web: see workbench check.",
        *before,
    )


def test_a_good_export_is_proven(session: Session, folder: Path) -> None:
    certificate, edited = session.exports.verify(folder, kernel=False)
    assert certificate.proven and certificate.judged and certificate.probes and edited == ()
    written = session.exports.preview("nftables")
    assert session.exports.check(written, kernel=False).proven


def test_an_edited_file_is_named_and_judged(session: Session, folder: Path) -> None:
    [path] = folder.glob("*.nft")
    text = path.read_text()
    path.write_text(text + "\n# a comment changes nothing\n")
    certificate, edited = session.exports.verify(folder, kernel=False)
    assert certificate.proven and edited == (path.name,)
    path.write_bytes(text.replace("\n", "\r\n").encode())
    assert session.exports.last("nftables") == {}
    with_line_ends = read_edited(session, folder)
    assert with_line_ends == (path.name,)
    path.write_text(text.replace("5432", "5433"))
    certificate, edited = session.exports.verify(folder, kernel=False)
    assert not certificate.proven and edited == (path.name,)


def read_edited(session: Session, folder: Path) -> tuple[str, ...]:
    from workbench.session.exports import read_export

    return read_export(folder).edited


def test_an_export_of_another_policy_is_no_proof(session: Session, folder: Path) -> None:
    session.draft.remove_rule("web-to-db")
    certificate, edited = session.exports.verify(folder, kernel=False)
    assert not certificate.proven and certificate.mismatches and edited == ()


def test_only_some_segments(session: Session, tmp_path: Path) -> None:
    session.exports.write("nftables", tmp_path / "db", ("db",))
    found = session.exports.verify(tmp_path / "db", kernel=False)[0]
    assert found.proven
    assert ("the whole policy", "not checked", "these files protect only db") in [
        (check.name, check.state, check.detail) for check in found.checks
    ]
    with pytest.raises(PolicyError, match="segment"):
        session.exports.write("nftables", tmp_path / "none", ("nowhere",))
    with pytest.raises(InputError, match="targets are"):
        session.exports.write("pigeon", tmp_path / "none")
    with pytest.raises(UnsupportedPolicy):  # its hosts are no pods
        session.exports.write("kubernetes", tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_exporting_again_keeps_the_version_before(session: Session, folder: Path) -> None:
    [path] = folder.glob("*.nft")
    before = path.read_text()
    session.draft.remove_rule("web-to-db")
    session.exports.write("nftables", folder)
    assert path.read_text() != before == path.with_name(path.name + "~").read_text()
    assert session.exports.verify(folder, kernel=False)[0].proven


OBJECT = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("old.nft", "table inet zt { }\n", True),
        ("old.yaml", OBJECT, True),
        (".old.yml", OBJECT, True),
        ("old.json", '{"apiVersion": "v1", "kind": "List"}', True),
        ("old.yaml~", OBJECT, False),
        ("policy.yaml", "workbench: 1\n", False),
        ("notes.txt", OBJECT, False),
    ],
)
def test_what_else_would_be_applied_with_the_folder_is_told(
    session: Session, folder: Path, name: str, text: str, told: bool
) -> None:
    (folder / name).write_text(text)
    certificate, _ = session.exports.verify(folder, kernel=False)
    failed = [check.detail for check in certificate.checks if check.state == "failed"]
    assert failed == ([f"not of this export: {name}"] if told else [])
    assert certificate.proven is not told


def test_what_cannot_be_looked_at_is_told(session: Session, folder: Path) -> None:
    (folder / "old.yaml").write_bytes(b"\xff\xfe")
    (folder / "gone.yaml").symlink_to(folder / "nowhere")
    certificate, _ = session.exports.verify(folder, kernel=False)
    assert certificate.checks[-1].detail == "not of this export: gone.yaml, old.yaml"


def test_files_of_an_export_before_are_put_aside(session: Session, folder: Path) -> None:
    """Another target into the same folder: its files must not be applied once more."""
    manifest = json.loads((folder / MANIFEST).read_text())
    [ruleset] = folder.glob("*.nft")
    ruleset.rename(folder / "networkpolicies.yaml")
    files = {"networkpolicies.yaml": "0" * 64}
    (folder / MANIFEST).write_text(json.dumps({**manifest, "files": files}))
    session.exports.write("nftables", folder)
    assert {path.name for path in folder.iterdir()} == {
        ruleset.name, MANIFEST, f"{MANIFEST}~", "networkpolicies.yaml~"
    }  # fmt: skip
    assert session.exports.verify(folder, kernel=False)[0].proven


def test_a_folder_that_cannot_be_made(session: Session, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot make the folder"):
        session.exports.write("nftables", tmp_path / "file" / "inside")


# ── hostile folders ────────────────────────────────────────────────────────────────────────

Change = Callable[[dict[str, Any]], Any]


def name(text: str) -> Change:
    """A manifest that names this file."""

    def change(manifest: dict[str, Any]) -> dict[str, Any]:
        return {**manifest, "files": {text: "0" * 64}}

    return change


def also(**values: Any) -> Change:
    return lambda manifest: {**manifest, **values}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (name("../site/policy.yaml"), "not a plain file name"),
        (name("/etc/hostname"), "not a plain file name"),
        (name(".hidden"), "not a plain file name"),
        (name(""), "not a plain file name"),
        (name("a\nb"), "not a plain file name"),
        (name("x" * 200), "not a plain file name"),
        (name("gone.nft"), "not found"),
        (also(files=[]), "not a manifest"),
        (also(files={"zt.nft": 5}), "not a manifest"),
        (also(only="db"), "not a manifest"),
        (also(only=[["db"]]), "not a manifest"),
        (also(target=None), "not a manifest"),
        (also(workbench=2), "not a manifest"),
        (lambda manifest: [manifest], "not a manifest"),
        (lambda manifest: {}, "not a manifest"),
        (lambda manifest: None, "not a manifest"),
    ],
)
def test_a_hostile_manifest(session: Session, folder: Path, change: Change, told: str) -> None:
    path = folder / MANIFEST
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(InputError, match=told) as refused:
        session.exports.verify(folder)
    assert len(str(refused.value)) < 1000


@pytest.mark.parametrize(
    "text",
    [
        b"", b"{", b"\xff\xfe", b"[" * 200_000, b'{"a": ' * 100_000, b"9" * 10_000, b"NaN",
        b'{"workbench": 1, "target": "nftables", "only": [], "files": {"a": "0", "a": "1"}}',
        b'{"workbench": 1, "workbench": 1, "target": "nftables", "only": [], "files": {}}',
    ],
    ids=range(9),
)  # fmt: skip
def test_a_manifest_that_is_no_manifest(session: Session, folder: Path, text: bytes) -> None:
    (folder / MANIFEST).write_bytes(text)
    with pytest.raises(InputError):
        session.exports.verify(folder)


@pytest.mark.parametrize("which", [MANIFEST, "*.nft"])
def test_links_pipes_folders_and_giants_are_refused(
    session: Session, folder: Path, tmp_path: Path, which: str
) -> None:
    [path] = folder.glob(which)
    elsewhere = tmp_path / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    with pytest.raises(InputError, match="symbolic link"):
        session.exports.verify(folder)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(InputError, match="not a regular file"):
        session.exports.verify(folder)
    path.unlink()
    path.mkdir()
    with pytest.raises(InputError, match="not a regular file"):
        session.exports.verify(folder)
    path.rmdir()
    with path.open("wb") as file:
        file.truncate(1 << 40)  # sparse
    with pytest.raises(InputError, match="larger than"):
        session.exports.verify(folder)


def test_an_unknown_target_is_one_line(session: Session, folder: Path) -> None:
    path = folder / MANIFEST
    path.write_text(path.read_text().replace('"nftables"', '"pigeon"'))
    with pytest.raises(InputError, match="pigeon"):
        session.exports.verify(folder)
