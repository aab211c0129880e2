"""Commands in the README and in docs/ are checked against the real command line."""

import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest
from textual.binding import Binding

from workbench.cli.parser import parse
from workbench.policy import load_policy
from workbench.tui.app import TABS, WorkbenchApp
from workbench.tui.screens.flowlist import FlowListScreen
from workbench.tui.screens.matrix import MatrixScreen
from workbench.tui.widgets.matrix import MatrixView
from workbench.tui.widgets.pagedtable import PagedTable

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.M | re.S)
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))


def commands() -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        for language, block in FENCE.findall(page.read_text(encoding="utf-8")):
            if language in ("", "sh", "console"):
                for line in block.splitlines():
                    text = line.strip().removeprefix("$ ")
                    if re.match(r"(\S*/)?workbench |make ", text):
                        found.append((page.name, text))
    return found


@pytest.mark.parametrize(("page", "line"), commands(), ids=lambda value: value)
def test_documented_commands_exist(page: str, line: str) -> None:
    program, *arguments = shlex.split(line, comments=True)
    if program == "make":
        assert set(arguments) <= TARGETS
        return
    parse(arguments)


def test_there_is_something_to_check() -> None:
    assert len(commands()) > 20
    assert {page for page, _ in commands()} >= {"README.md", "load.md", "export.md"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_policies_in_the_docs_hold(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (page.parent / target).exists(), target
    for language, block in FENCE.findall(text):
        if language == "yaml" and "rules:" in block:
            assert load_policy(block, page.name).rules


def bound(*classes: type) -> set[str]:
    """Every key that these screens and widgets, and what they are made of, know."""
    made = [base.__dict__.get("BINDINGS", ()) for one in classes for base in one.__mro__]
    keys = [
        binding.key for bindings in made for binding in bindings if isinstance(binding, Binding)
    ]
    return {SIGNS.get(key, key) for text in keys for key in text.split(",")}


SIGNS = {
    "question_mark": "?",
    "slash": "/",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
}
KEY = re.compile(r"`(ctrl\+[a-z]|space|[^` ])`")


def test_the_keys_in_the_docs_are_those_of_the_screens() -> None:
    text = (ROOT / "docs" / "interface.md").read_text(encoding="utf-8")
    everywhere, screens = text.split("| screen |")
    wanted = set(KEY.findall(everywhere)) - {"…"}
    assert (
        {"/", "ctrl+s", "9"} <= wanted <= bound(WorkbenchApp, MatrixScreen, PagedTable) | {"ctrl+p"}
    )
    rows = [line.split("|")[1:3] for line in screens.splitlines() if line.startswith("| `")]
    assert [name.split()[1] for name, _ in rows] == list(TABS.values())
    for mode, (name, keys) in zip(TABS, rows, strict=True):
        module = import_module(f"workbench.tui.screens.{mode}")
        known = bound(getattr(module, f"{mode.title()}Screen"), MatrixView, PagedTable)
        assert set(KEY.findall(keys)) <= known, name


@pytest.mark.parametrize(
    ("mode", "heading"), [("findings", "## On the screen"), ("exposure", "## In the interface")]
)
def test_the_keys_of_a_page_are_those_of_its_screen(mode: str, heading: str) -> None:
    text = (ROOT / "docs" / f"{mode}.md").read_text(encoding="utf-8")
    rows = [
        line for line in text.partition(heading)[2].split("\n## ")[0].splitlines() if "|" in line
    ]
    keys = {key for row in rows for key in KEY.findall(row)}
    screen = getattr(import_module(f"workbench.tui.screens.{mode}"), f"{mode.title()}Screen")
    assert len(keys) > 8 and keys <= bound(screen, FlowListScreen, PagedTable)


def test_the_picture_shows_the_tabs_there_are() -> None:
    text = (ROOT / "docs" / "matrix.svg").read_text(encoding="utf-8").replace("&#160;", " ")
    shown = re.findall(r">\s*(\d [A-Z][a-z]+)\s*<", text)
    assert shown == [f"{at} {title}" for at, title in enumerate(TABS.values(), 1)]
