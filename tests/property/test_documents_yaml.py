"""YAML as we read it: the same tree from both parsers, and never more than other readers see."""

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.documents import Node, nodes, parse_yaml, render
from workbench.model.errors import DocumentError

PIECES = ("a: ", "b: ", "- ", "x", "'q'", '"d"', "|\n", ">\n", "\n", "\n  ", "\n    ", " # c", "\t")
PIECES += ("[", "]", "{", "}", ", ", ": ", "?", "~", "1", "é", "---\n", "...\n", "&a ", "*a", "!t ")


def tree(node: Node) -> Any:
    """Everything but the place of what was not written, on which the parsers differ."""
    place = None if node.is_null else (node.line, node.column)
    end = node.last_line if node.kind == "scalar" and not node.is_null else None
    children = [tree(child) for child in node.children]
    return node.where, node.kind, place, end, node.value, children


def outcome(text: str, loader: Any) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nodes, "_PARSER", loader)
        try:
            return tree(parse_yaml(text, "f", DocumentError))
        except DocumentError as error:
            assert "\n" not in str(error)
            return None


@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
@settings(max_examples=300)
def test_both_parsers_build_one_tree(text: str) -> None:
    fast, plain = outcome(text, yaml.CSafeLoader), outcome(text, yaml.SafeLoader)
    if fast is not None and plain is not None:
        assert fast == plain


def plain_data(node: Node) -> Any:
    if node.kind == "mapping":
        return {key: plain_data(value) for key, value in node.entries()}
    if node.kind == "sequence":
        return [plain_data(item) for item in node.items()]
    return node.value


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Zl", "Zp")), max_size=12)
DATA = st.recursive(
    WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(WORDS, DATA, min_size=1, max_size=4))
@settings(max_examples=200)
def test_what_we_write_is_what_anybody_reads(data: dict[str, Any]) -> None:
    text = render(data)
    assert yaml.safe_load(text) == data
    assert plain_data(parse_yaml(text, "f", DocumentError)) == data
    assert plain_data(parse_yaml(render(data, blocks=tuple(data)), "f", DocumentError)) == data
