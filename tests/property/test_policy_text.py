"""policy.yaml: what is written reads back, and saving keeps what the user wrote around it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import policies, segments

from workbench.documents import parse_yaml, patch
from workbench.documents.writing import flow
from workbench.model.errors import PolicyError
from workbench.model.policy import Policy
from workbench.policy import dump_policy, fresh_id, load_policy, update_text
from workbench.policy.document import policy_data

SECTIONS = ("rules", "guardrails", "exclusions", "segments", "services", "protect")

JUNK = "[]{}:,#-&*!|>'\"%@` \n\ta1é\x00\x85\u2028"


@st.composite
def edited(draw: st.DrawFn, policy: Policy) -> Policy:
    """A few edits of the kind the Policy screen makes; the result is valid."""
    for _ in range(draw(st.integers(1, 4))):
        policy = draw(st.sampled_from(EDITS))(draw, policy)
    return policy


def drop(draw: st.DrawFn, policy: Policy) -> Policy:
    section = draw(st.sampled_from(SECTIONS[:3]))
    entries = getattr(policy, section)
    return replace(policy, **{section: tuple(e for e in entries if draw(st.integers(0, 3)))})


def shuffle(draw: st.DrawFn, policy: Policy) -> Policy:
    section = draw(st.sampled_from(SECTIONS))
    return replace(policy, **{section: tuple(draw(st.permutations(getattr(policy, section))))})


def reword(draw: st.DrawFn, policy: Policy) -> Policy:
    reason = draw(st.sampled_from(["", "new reason", "it's: [odd] #1"]))
    rules = tuple(replace(r, reason=reason) if draw(st.booleans()) else r for r in policy.rules)
    return replace(policy, rules=rules)


def duplicate(draw: st.DrawFn, policy: Policy) -> Policy:
    if not policy.rules:
        return policy
    at = draw(st.integers(0, len(policy.rules) - 1))
    copy = replace(policy.rules[at], id=fresh_id(policy, policy.rules[at].id))
    return replace(policy, rules=(*policy.rules[:at], copy, *policy.rules[at:]))


def reshape(draw: st.DrawFn, policy: Policy) -> Policy:
    return replace(
        policy,
        segments=tuple(
            draw(segments(s.name)) if draw(st.booleans()) else s for s in policy.segments
        ),
        protect=tuple(p for p in policy.protect if draw(st.booleans())),
    )


def rename_rule(draw: st.DrawFn, policy: Policy) -> Policy:
    rules = policy.rules and (
        replace(policy.rules[0], id=fresh_id(policy, "other")),
        *policy.rules[1:],
    )
    return replace(policy, rules=rules)


EDITS: list[Callable[[st.DrawFn, Policy], Policy]] = [
    drop,
    shuffle,
    reword,
    duplicate,
    reshape,
    rename_rule,
]


@st.composite
def commented(draw: st.DrawFn, text: str) -> str:
    """The text with a comment above some lines and behind some others, each with its number."""
    lines: list[str] = []
    for number, line in enumerate(text.splitlines()):
        indent = " " * (len(line) - len(line.lstrip()))
        if draw(st.integers(0, 2)) == 0:
            lines += [""] * draw(st.integers(0, 1)) + [f"{indent}# above {number}."]
        behind = draw(st.integers(0, 3)) == 0
        lines.append(f"{line}  # behind {number}." if behind else line)
    return "\n".join(lines) + "\n"


@given(st.data())
@settings(max_examples=150)
def test_saving_reads_back_as_the_new_policy(data: st.DataObject) -> None:
    old = data.draw(policies())
    text = data.draw(commented(dump_policy(old)))
    assert load_policy(text) == old
    new = data.draw(edited(old))
    assert load_policy(update_text(text, new)) == new


@given(policies(), policies())
@settings(max_examples=60)
def test_any_text_can_become_any_policy(old: Policy, new: Policy) -> None:
    assert load_policy(update_text(dump_policy(old), new)) == new


@given(st.data())
@settings(max_examples=100)
def test_unchanged_rules_keep_their_comments_and_lines(data: st.DataObject) -> None:
    old = data.draw(policies())
    text = data.draw(commented(dump_policy(old)))
    new = data.draw(edited(old))
    saved = update_text(text, new).splitlines()
    before = rule_lines(text)
    for rule in set(old.rules) & set(new.rules):
        for line in before[rule.id]:
            assert line in saved, f"{rule.id} lost {line!r}"


def rule_lines(text: str) -> dict[str, list[str]]:
    """Every line of each rule, with the comments right above it."""
    lines = text.splitlines()
    root = parse_yaml(text, "", PolicyError)
    found = {}
    for item in dict(root.entries())["rules"].items() if "rules" in dict(root.entries()) else ():
        first = item.line
        while lines[first - 2].startswith("  #"):
            first -= 1
        name = dict(item.entries())["id"].text()
        found[name] = lines[first - 1 : item.last_line]
    return found


@st.composite
def laid_out(draw: st.DrawFn, data: dict[str, Any]) -> str:
    """The data in a layout of somebody's own: order, blocks or flow, indents, comments, gaps."""

    def comment() -> str:
        return draw(st.sampled_from(["", "", "", "   # why"]))

    def gap(indent: int) -> list[str]:
        return draw(st.sampled_from([[], [], [], [""], [" " * indent + "# about"], ["# odd", ""]]))

    def block(value: Any, indent: int, keep_order: bool) -> list[str]:
        lines: list[str] = []
        if isinstance(value, list):
            for item in value:
                lines += gap(indent)
                if isinstance(item, dict) and draw(st.booleans()):
                    inner = block(item, indent + 2, False)
                    at = next(i for i, line in enumerate(inner) if line.lstrip()[:1] not in "#")
                    inner[at] = inner[at][:indent] + "-" + inner[at][indent + 1 :]
                    lines += inner
                else:
                    lines.append(f"{' ' * indent}- {flow(item)}{comment()}")
            return lines
        for key in list(value) if keep_order else draw(st.permutations(list(value))):
            lines += gap(indent)
            if isinstance(value[key], dict | list) and value[key] and draw(st.integers(0, 3)):
                deeper = indent + draw(st.sampled_from([2, 4]))
                deeper = indent if isinstance(value[key], list) and draw(st.booleans()) else deeper
                ordered = indent == 0 or key == "match"
                lines += [f"{' ' * indent}{key}:{comment()}", *block(value[key], deeper, ordered)]
            else:
                lines.append(f"{' ' * indent}{key}: {flow(value[key])}{comment()}")
        return lines

    lines = block(data, 0, False)
    return "\n".join(lines) + draw(st.sampled_from(["", "\n", "\n# the end\n", "\n\n...\n"]))


@given(st.data())
@settings(max_examples=120)
def test_any_layout_can_be_saved_into(data: st.DataObject) -> None:
    old = data.draw(policies())
    text = data.draw(laid_out(policy_data(old)))
    assert load_policy(text) == old
    new = data.draw(edited(old))
    assert load_policy(update_text(text, new)) == new
    root = parse_yaml(text, "", PolicyError)
    kept = patch(text, root, policy_data(old), policy_data(new), blocks=("rules",))
    assert load_policy(kept) == new, "the user's layout would be given up"


@given(policies())
@settings(max_examples=60)
def test_nothing_changed_leaves_the_text_alone(policy: Policy) -> None:
    text = dump_policy(policy) + "\n# the end\n"
    assert update_text(text, policy) == text


@given(policies())
@settings(max_examples=60)
def test_any_yaml_reader_sees_the_same_words(policy: Policy) -> None:
    """Quoting protects against readers that guess types."""
    data = yaml.safe_load(dump_policy(policy))
    assert [rule.get("reason", "") for rule in data.get("rules", ())] == [
        rule.reason for rule in policy.rules
    ]
    assert [rule["id"] for rule in data.get("rules", ())] == [rule.id for rule in policy.rules]
    assert list(data["segments"]) == [segment.name for segment in policy.segments]


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda b: b.decode("latin-1")))
@settings(max_examples=200)
def test_any_text_loads_or_says_why(text: str) -> None:
    try:
        load_policy(text, "policy.yaml")
    except PolicyError as error:
        assert str(error).startswith("policy.yaml")
        assert "\n" not in str(error)


@given(policies(max_rules=2), st.data())
@settings(max_examples=150)
def test_damaged_policies_load_or_say_why(policy: Policy, data: st.DataObject) -> None:
    text = dump_policy(policy)
    at = data.draw(st.integers(0, len(text)))
    size = data.draw(st.integers(0, 8))
    junk = data.draw(
        st.text(st.sampled_from("[]{}:,#-&*!|>'\"%@` \n\ta1é\x00\x85\u2028"), max_size=4)
    )
    try:
        load_policy(text[:at] + junk + text[at + size :], "policy.yaml")
    except PolicyError as error:
        assert str(error).startswith("policy.yaml")
        assert "\n" not in str(error)
