"""Commands in the README and in docs/ are checked against the real command line."""

import re
import shlex
from pathlib import Path

import pytest

from workbench.cli.parser import parse
from workbench.policy import load_policy

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
