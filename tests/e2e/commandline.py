"""Running the real command line."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
CAPTURE = next((ROOT / "demo_data").glob("*.pcap*"))


@dataclass(frozen=True)
class Done:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> str:
        """The one clear line on stderr."""
        assert "Traceback" not in self.err, self.err
        [line] = self.err.strip().splitlines()
        assert line.startswith("workbench: "), line
        return line


Run = Callable[..., Done]
