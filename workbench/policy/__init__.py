"""policy.yaml to Policy and back, edits, resolution, and decide(): the reference meaning."""

from workbench.policy.decide import decide
from workbench.policy.document import dump_policy, load_policy, update_text
from workbench.policy.edit import (
    duplicate_rule,
    fresh_id,
    put_exclusion,
    put_guardrail,
    put_protection,
    put_rule,
    put_segment,
    put_services,
    remove_exclusion,
    remove_guardrail,
    remove_protection,
    remove_rule,
    remove_segment,
    remove_services,
    replace_parts,
    restrict,
)
from workbench.policy.lint import lint
from workbench.policy.resolve import Resolver, resolve
from workbench.policy.validate import validate

__all__ = [
    "Resolver",
    "decide",
    "dump_policy",
    "duplicate_rule",
    "fresh_id",
    "lint",
    "load_policy",
    "put_exclusion",
    "put_guardrail",
    "put_protection",
    "put_rule",
    "put_segment",
    "put_services",
    "remove_exclusion",
    "remove_guardrail",
    "remove_protection",
    "remove_rule",
    "remove_segment",
    "remove_services",
    "replace_parts",
    "resolve",
    "restrict",
    "update_text",
    "validate",
]
