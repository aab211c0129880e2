"""What can go wrong, as one tree. Every message is one line: what, where, what to do.

WorkbenchError
├── InputError            something the user gave is wrong (exit 2)
│   ├── CaptureError      a capture that cannot be read at all
│   ├── DocumentError     a YAML, CSV or JSON file: file, line, path, problem
│   │   ├── PolicyError
│   │   ├── InventoryError
│   │   └── ScanError     a scanner's report, or what was kept of it
│   ├── FilterError       the filter line: text, position, problem
│   └── DuplicateCapture  the same file a second time
├── FileChanged           the file on disk is not the one we read (exit 2)
├── StoreError            the flow store refused (exit 2)
│   ├── StoreTooNew
│   └── StoreBusy
├── UnsupportedPolicy     a target cannot say what the policy says (exit 2)
├── MissingTool           tshark, nft … is not installed (exit 2)
└── Cancelled             the user stopped the work
"""

from pathlib import Path

from workbench.model.packets import brief


class WorkbenchError(Exception):
    """The root: catch this, and only this, where work meets the user."""

    def __init__(self, message: str = "") -> None:
        super().__init__(brief(message))


class InputError(WorkbenchError):
    """Something the user gave cannot be used."""


class CaptureError(InputError):
    """A capture that cannot be read at all. Partial captures are read and report themselves."""

    def __init__(self, path: Path | str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem


class DuplicateCapture(InputError):
    """The same capture is already in the workspace."""


class DocumentError(InputError):
    """A text document the user wrote is wrong at a known place."""

    def __init__(
        self, problem: str, *, file: str = "", line: int | None = None, where: str = ""
    ) -> None:
        at = ":".join(str(part) for part in (file, line) if part)
        super().__init__(": ".join(part for part in (at, where, problem) if part))
        self.problem = problem
        self.file = file
        self.line = line
        """1-based, or None when the document did not come from text."""
        self.where = where
        """Path inside the document, such as `rules[3].services[0]`."""


class PolicyError(DocumentError):
    """`policy.yaml`, or an edit of the policy, breaks a rule of the format."""


class InventoryError(DocumentError):
    """`inventory.yaml` or an imported host list breaks a rule of the format."""


class ScanError(DocumentError):
    """A scanner's report, or `vulnerabilities.json`, cannot be read."""


class FilterError(InputError):
    """The filter line cannot be understood."""

    def __init__(self, problem: str, *, text: str, position: int) -> None:
        super().__init__(f"filter: {problem} (at column {position + 1})")
        self.problem = problem
        self.text = text
        self.position = position
        """0-based offset of the offending term in `text`."""


class FileChanged(WorkbenchError):
    """A file changed on disk since it was read; nothing was written."""


class StoreError(WorkbenchError):
    """The flow store cannot do what was asked."""


class StoreTooNew(StoreError):
    """The store was written by a newer workbench."""


class StoreBusy(StoreError):
    """Another process holds the store."""


class UnsupportedPolicy(WorkbenchError):
    """A target cannot say what the policy says. Nothing is rendered: a dropped clause is a hole."""

    def __init__(self, target: str, missing: tuple[str, ...]) -> None:
        super().__init__(f"{target} cannot express this policy: {'; '.join(missing)}")
        self.target = target
        self.missing = missing


class MissingTool(WorkbenchError):
    """A program that this job needs is not installed."""

    def __init__(self, tool: str, advice: str) -> None:
        super().__init__(f"{tool} is not installed: {advice}")
        self.tool = tool


class Cancelled(WorkbenchError):
    """The user stopped the work; what was finished stays, and nothing is half done."""
