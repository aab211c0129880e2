"""The house rules that a program can check: layers, sizes, style, types, what importing costs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "workbench").rglob("*.py"))
TOOLS = Path(sys.executable).parent


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "command",
    [("ruff", "check", "."), ("ruff", "format", "--check", "."), ("mypy",), ("lint-imports",)],
    ids=" ".join,
)
def test_the_house_tools_are_content(command: tuple[str, ...]) -> None:
    done = run(str(TOOLS / command[0]), *command[1:])
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_rooms_stay_livable(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    limit = 300 if path.parent.name == "screens" else 200 if path.name == "app.py" else 400
    assert text.count("\n") <= limit, f"over {limit} lines: what second idea wants its own module?"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            size = (node.end_lineno or node.lineno) - node.lineno + 1
            assert size <= 50, f"{node.name} has {size} lines"


def loaded_by(statement: str) -> set[str]:
    done = run(sys.executable, "-c", f"{statement}; import sys; print(*sys.modules)")
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_the_session_loads_no_front_end_and_no_pyshark() -> None:
    loaded = loaded_by("from workbench.session import Session")
    assert {"_duckdb", "workbench.session.session"} <= loaded
    assert not loaded & {"textual", "pyshark", "networkx", "scipy", "pandas"}


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_is_instant(option: str) -> None:
    loaded = loaded_by(
        "import contextlib, io, workbench.cli\n"
        "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):\n"
        f"    workbench.cli.main(['{option}'])\n"
        "pass"
    )
    assert not loaded & {"textual", "_duckdb", "duckdb", "numpy", "yaml", "pyshark"}


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize(
    ("library", "room"),
    [
        ("duckdb", "store"),
        ("_duckdb", "store"),
        ("textual", "tui"),
        ("pyshark", "capture"),
        ("defusedxml", "inventory"),
    ],
)
def test_one_room_a_library(library: str, room: str) -> None:
    users = {
        path.relative_to(ROOT / "workbench").parts[0]
        for path in SOURCES
        if library in imports(path)
    }
    assert users <= {room}


def test_nothing_goes_through_a_shell_or_the_network() -> None:
    for path in SOURCES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert not imports(path) & {"urllib", "http", "requests", "httpx", "ssl"}, path
        for node in ast.walk(tree):
            if isinstance(node, ast.keyword) and node.arg == "shell":
                raise AssertionError(f"{path}: shell=")
            if isinstance(node, ast.Attribute) and node.attr in ("system", "popen"):
                raise AssertionError(f"{path}: {node.attr}")


def test_loading_captures_waits_for_no_analysis() -> None:
    loaded = loaded_by("from workbench.session import ingest_folder")
    assert "workbench.capture" in loaded
    rooms = {"analysis", "policy", "export", "verify", "inventory", "store"}
    assert not loaded & {"_duckdb", "duckdb", "yaml", *(f"workbench.{room}" for room in rooms)}
