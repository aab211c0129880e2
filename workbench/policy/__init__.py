"""policy.yaml to Policy and back, edits, resolution, and decide(): the reference meaning."""

from workbench.policy.decide import decide
from workbench.policy.document import dump_policy, load_policy
from workbench.policy.resolve import resolve
from workbench.policy.validate import validate

__all__ = ["decide", "dump_policy", "load_policy", "resolve", "validate"]
