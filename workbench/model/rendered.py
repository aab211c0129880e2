"""What exporters produce and verifiers answer."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rendered:
    """Files for one target, ready to write."""

    target: str
    files: Mapping[str, str]
    """Relative file name → text. Names are plain: no separators, no dots first."""
    notes: tuple[str, ...] = ()
    """What the reader must know: the baseline, what this target never sees."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A conversation on which the files and the policy disagree."""

    conversation: str
    expected: str
    """What decide() says."""
    found: str
    """What the files say."""
    probe: bool
    """True for a boundary probe, False for an observed conversation."""


@dataclass(frozen=True, slots=True)
class Check:
    """One independent check of the files beyond the evaluators."""

    name: str
    state: str
    """`passed`, `failed` or `not checked`."""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Verification:
    """The certificate: what was judged, and every difference found."""

    target: str
    judged: int
    """Observed conversations compared."""
    probes: int
    """Boundary probes compared."""
    skipped: int
    """Conversations that are no matter for a policy, not compared."""
    mismatches: tuple[Mismatch, ...]
    checks: tuple[Check, ...] = ()

    @property
    def proven(self) -> bool:
        return not self.mismatches and all(check.state != "failed" for check in self.checks)
