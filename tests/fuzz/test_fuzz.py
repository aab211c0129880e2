"""A minute of fuzzing, and every input ever kept, replayed.

`make fuzz` does the same for as long as one likes.
"""

import importlib.util
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from fuzz import captures, frames
from fuzz.oracle import Rooms, printable, read
from fuzz.seeds import seeds

HERE = Path(__file__).resolve().parent
KEPT = sorted(file for name in ("corpus", "found") for file in (HERE / name).glob("*"))
SECONDS = 20
EXECUTIONS = 3000
"""Of one target, at most: whatever is reached first."""


@pytest.fixture(scope="module")
def rooms() -> Rooms:
    return Rooms()


@pytest.mark.parametrize("file", KEPT, ids=lambda file: file.name)
def test_kept_inputs(rooms: Rooms, file: Path) -> None:
    """Seeds, and whatever a fuzzer ever found: nothing breaks a rule a second time."""
    rooms.check(file.read_bytes(), thorough=True)


def fuzz(*arguments: object) -> str:
    command = [sys.executable, "-m", "fuzz", *map(str, arguments)]
    done = subprocess.run(
        command, cwd=HERE.parent, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr[-6000:] + done.stdout[-2000:]
    return done.stderr


@pytest.mark.parametrize("target", ["kernel", "reader"])
def test_a_while_of_fuzzing(target: str) -> None:
    """Guided by coverage where atheris has a wheel (pyproject.toml), blind elsewhere."""
    told = fuzz(target, "--seconds", SECONDS, "--executions", EXECUTIONS, "--seed", 1)
    guided = importlib.util.find_spec("atheris") is not None
    count = re.search(r"executed_units: (\d+)" if guided else r"(\d+) executions", told)
    assert count is not None, told
    assert int(count[1]) > len(KEPT)


def test_fuzzing_without_guidance() -> None:
    assert "60 executions without guidance" in fuzz("kernel", "--blind", "--executions", 60)


# The harness itself


def test_the_seeds_are_small_and_reach_flows(rooms: Rooms, tmp_path: Path) -> None:
    made = seeds()
    assert sum(file.stat().st_size for file in KEPT) < 300_000
    assert {file.name for file in (HERE / "corpus").iterdir()} == set(made)
    flows = 0
    for name, data in made.items():
        path = tmp_path / name
        path.write_bytes(data)
        seen = read(rooms.compiled, path)
        flows += seen.report.flows if seen.report else 0
    assert flows > 100


def test_files_are_put_together_as_they_were_taken_apart() -> None:
    rng = Random(5)
    for _ in range(200):
        data = captures.build(captures.new_file(rng))
        file = captures.take_apart(data)
        assert file is not None
        assert captures.build(file) == data


def test_mutation_is_repeatable_and_bounded() -> None:
    data = (HERE / "corpus" / "packed.pcap.gz").read_bytes()
    for seed in range(200):
        changed = captures.mutate(data, Random(seed), 500)
        assert changed == captures.mutate(data, Random(seed), 500)
        assert len(changed) <= 500


def test_every_link_type_has_frames() -> None:
    for link in frames.LINKS:
        assert any(frames.frame(Random(seed), link) for seed in range(5))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"packets": 7}, "packets=7"),
        ({"flows": 1}, "flows=1"),
        ({"problems": ("\x1b[2J",)}, "x1b"),
        ({"decoded": 5, "skipped": {"ARP": 1}}, "decoded=5"),
    ],
)
def test_the_judge_sees_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch, change: dict[str, object], words: str
) -> None:
    rooms = Rooms()
    good = rooms.compiled.read_capture
    monkeypatch.setattr(
        rooms.compiled,
        "read_capture",
        lambda path, on_flows: replace(good(path, on_flows=on_flows), **change),
    )
    with pytest.raises(AssertionError, match=words):
        rooms.check((HERE / "corpus" / "session.pcap").read_bytes())


def test_the_judge_compares_flows(rooms: Rooms, monkeypatch: pytest.MonkeyPatch) -> None:
    assert rooms.plain is not None
    good = rooms.plain.read_capture

    def other(path: Path, on_flows: object) -> object:
        def turned(batch: dict[str, object]) -> None:
            on_flows({**batch, "vlan": batch["vlan"] + 1})  # type: ignore[operator]

        return good(path, on_flows=turned)

    monkeypatch.setattr(rooms.plain, "read_capture", other)
    with pytest.raises(AssertionError, match="flows' vlan"):
        rooms.check((HERE / "corpus" / "session.pcap").read_bytes())


def test_the_judge_wants_words_that_can_be_shown() -> None:
    printable("ARP: 3")
    with pytest.raises(AssertionError):
        printable("two\nlines")
