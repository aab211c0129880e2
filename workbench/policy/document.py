"""policy.yaml to Policy and back."""

from datetime import date
from typing import Any

from workbench.documents import Node, parse_yaml, render, suggestion, updated
from workbench.model.errors import PolicyError
from workbench.model.policy import (
    BOTH_SIDES,
    Assertion,
    Exclusion,
    Guardrail,
    Policy,
    Protection,
    Rule,
    Segment,
    ServiceGroup,
    Side,
)
from workbench.policy.validate import problems, validate

VERSION = 1
"""The format's number: `workbench: 1` opens every document."""
_SECTIONS = (
    "workbench", "name", "protect", "segments", "services", "rules", "guardrails", "exclusions",
)  # fmt: skip
_BLOCKS = ("rules",)
_BOX = ("from", "to", "services")


def load_policy(text: str, file: str = "policy.yaml") -> Policy:
    """Read a policy. Raises PolicyError with file, line and path for the first problem."""
    return _read(parse_yaml(text, file, PolicyError))


def dump_policy(policy: Policy) -> str:
    """The canonical text: `load_policy` reads back an equal policy. Raises PolicyError."""
    validate(policy)
    return render(policy_data(policy), blocks=_BLOCKS)


def update_text(old_text: str, policy: Policy) -> str:
    """`old_text` made to say `policy`: comments, layout and order stay where nothing changed.

    Reads back as exactly `policy`; a text that cannot be kept gives way to the canonical one.
    Raises PolicyError when `policy` is not valid.
    """
    validate(policy)
    text = updated(old_text, policy, _read, policy_data, PolicyError, blocks=_BLOCKS)
    return dump_policy(policy) if text is None else text


def policy_data(policy: Policy) -> dict[str, Any]:
    """The policy as plain data in the order of the canonical text; empty sections left out."""
    data: dict[str, Any] = {
        "workbench": VERSION,
        "name": policy.name,
        "protect": {item.segment: _protection_data(item) for item in policy.protect},
        "segments": {segment.name: _segment_data(segment) for segment in policy.segments},
        "services": {group.name: list(group.services) for group in policy.services},
        "rules": [{"id": rule.id, **_box_data(rule), **_why_data(rule)} for rule in policy.rules],
        "guardrails": [
            {"id": item.id, item.assertion.value: _box_data(item), **_why_data(item)}
            for item in policy.guardrails
        ],
        "exclusions": [
            {"id": item.id, **_box_data(item), **_why_data(item)} for item in policy.exclusions
        ],
    }
    return {key: value for key, value in data.items() if value}


def _protection_data(item: Protection) -> dict[str, Any]:
    if item.directions == BOTH_SIDES:
        return {}
    return {"directions": [side.value for side in Side if side in item.directions]}


def _segment_data(segment: Segment) -> dict[str, Any]:
    data: dict[str, Any] = {}
    if segment.match:
        data["match"] = {
            key: values[0] if len(values) == 1 else list(values) for key, values in segment.match
        }
    if segment.cidrs:
        data["cidrs"] = list(segment.cidrs)
    if segment.excepts:
        data["except"] = list(segment.excepts)
    return data


def _box_data(entry: Rule | Guardrail | Exclusion) -> dict[str, Any]:
    return {
        "from": list(entry.clients),
        "to": list(entry.servers),
        "services": list(entry.services),
    }


def _why_data(entry: Rule | Guardrail | Exclusion) -> dict[str, Any]:
    data: dict[str, Any] = {"reason": entry.reason} if entry.reason else {}
    if not isinstance(entry, Guardrail) and entry.expires:
        data["expires"] = entry.expires
    return data


def _read(root: Node) -> Policy:
    policy = _policy(root)
    for problem in problems(policy):
        raise root.at(problem.where).wrong(problem.text, where=problem.where)
    return policy


def _policy(root: Node) -> Policy:
    fields = root.fields(_SECTIONS, required=("workbench", "name"))
    version = fields["workbench"]
    if version.text() != str(VERSION):
        raise version.wrong(f"this workbench reads version {VERSION}")
    empty = Node(root.source, root, "", "sequence", root.line, 0)
    nothing = Node(root.source, root, "", "mapping", root.line, 0)
    return Policy(
        name=fields["name"].text(),
        protect=tuple(
            _protection(name, node) for name, node in fields.get("protect", nothing).entries()
        ),
        segments=tuple(
            _segment(name, node) for name, node in fields.get("segments", nothing).entries()
        ),
        services=tuple(
            ServiceGroup(name, node.values())
            for name, node in fields.get("services", nothing).entries()
        ),
        rules=tuple(map(_rule, fields.get("rules", empty).items())),
        guardrails=tuple(map(_guardrail, fields.get("guardrails", empty).items())),
        exclusions=tuple(map(_exclusion, fields.get("exclusions", empty).items())),
    )


def _protection(name: str, node: Node) -> Protection:
    directions = node.fields(("directions",)).get("directions")
    if directions is None:
        return Protection(name)
    sides = [item.text() for item in directions.items()]
    for item, side in zip(directions.items(), sides, strict=True):
        if side not in list(Side):
            raise item.wrong(f"unknown direction{suggestion(side, list(Side))}")
    return Protection(name, frozenset(map(Side, sides)))


def _segment(name: str, node: Node) -> Segment:
    fields = node.fields(("match", "cidrs", "except"))
    for key, written in node.entries():  # reads as nobody, but would narrow nothing
        if key != "except" and written.value is None and not written.children:
            raise written.wrong("is empty: name something, or leave it out")
    match = fields["match"].entries() if "match" in fields else []
    return Segment(
        name,
        match=tuple((key, value.values()) for key, value in match),
        cidrs=fields["cidrs"].values() if "cidrs" in fields else (),
        excepts=fields["except"].values() if "except" in fields else (),
    )


def _rule(node: Node) -> Rule:
    fields = node.fields(("id", *_BOX, "reason", "expires"), required=("id", *_BOX))
    return Rule(
        fields["id"].text(),
        clients=fields["from"].values(),
        servers=fields["to"].values(),
        services=fields["services"].values(),
        reason=_reason(fields),
        expires=_expires(fields),
    )


def _guardrail(node: Node) -> Guardrail:
    fields = node.fields(("id", *Assertion, "reason"), required=("id",))
    assertions = [assertion for assertion in Assertion if assertion in fields]
    if len(assertions) != 1:
        raise node.wrong("needs either `never` or `always`")
    box = fields[assertions[0]].fields(_BOX, required=_BOX)
    return Guardrail(
        fields["id"].text(),
        assertions[0],
        clients=box["from"].values(),
        servers=box["to"].values(),
        services=box["services"].values(),
        reason=_reason(fields),
    )


def _exclusion(node: Node) -> Exclusion:
    known = ("id", *_BOX, "reason", "expires")
    fields = node.fields(known, required=("id", *_BOX, "reason"))
    return Exclusion(
        fields["id"].text(),
        clients=fields["from"].values(),
        servers=fields["to"].values(),
        services=fields["services"].values(),
        reason=_reason(fields),
        expires=_expires(fields),
    )


def _reason(fields: dict[str, Node]) -> str:
    return fields["reason"].text() if "reason" in fields else ""


def _expires(fields: dict[str, Node]) -> date | None:
    return fields["expires"].date() if "expires" in fields else None
