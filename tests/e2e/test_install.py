"""Installing without a network, and set-up scripts."""

import subprocess
import sys
import venv
from pathlib import Path

import pytest
from commandline import ROOT


def run(*command: object, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(map(str, command)), capture_output=True, text=True, check=False, cwd=ROOT, **options
    )  # type: ignore[call-overload,no-any-return]


@pytest.fixture(scope="module")
def wheelhouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make wheelhouse` makes, made the same way."""
    folder = tmp_path_factory.mktemp("wheelhouse")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
    done = run(*pip, "--wheel-dir", folder, ".")
    assert done.returncode == 0, done.stderr
    return folder


def test_an_air_gapped_machine_installs_from_the_wheelhouse(
    wheelhouse: Path, tmp_path: Path
) -> None:
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / "bin" / "python"
    done = run(
        python, "-m", "pip", "install", "--quiet", "--no-index", "--find-links", wheelhouse,
        "segmentation-workbench",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    workbench = tmp_path / "env" / "bin" / "workbench"
    demo = subprocess.run(
        [workbench, "demo", "--headless", "--keep", "site"],
        capture_output=True, text=True, check=False, cwd=tmp_path, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert demo.stdout.count("✓ proven") == 2
    report = subprocess.run(
        [workbench, "report", "site", "--out", "report.html"],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert report.returncode == 0 and (tmp_path / "report.html").exists(), report.stderr
    inside = "from workbench.capture import kernel_compiled as k; print(k())"
    compiled = subprocess.run(
        [python, "-c", inside], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert compiled.stdout.strip() == "True"


def test_the_makefile_says_what_it_can_do() -> None:
    done = run("make", "help")
    for target in ("demo", "test", "check", "wheelhouse", "fuzz"):
        assert f"make {target}" in done.stdout


def test_missing_programs_are_named_with_what_goes_without(tmp_path: Path) -> None:
    """Not root, nothing on PATH but what the script itself runs on."""
    for program in ("bash", "id", "cat", "printf"):
        (tmp_path / program).symlink_to(f"/usr/bin/{program}")
    (tmp_path / "id").unlink()
    (tmp_path / "id").write_text("#!/bin/bash\necho 1000\n")
    (tmp_path / "id").chmod(0o755)
    script = (ROOT / ".ci" / "system-packages").read_text().replace(":/usr/sbin:/sbin", "")
    done = run(
        tmp_path / "bash", "-c", script, "system-packages", "test",
        env={"PATH": str(tmp_path), "PYTHON": sys.executable},
    )  # fmt: skip
    assert done.returncode == 0
    for program in ("tshark", "nft", "tcpdump", "gcc", "chromium"):
        assert f"  {program}: " in done.stderr
    assert "install with: apt-get install" in done.stderr
