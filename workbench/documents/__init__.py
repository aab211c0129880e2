"""Text documents the user keeps: YAML with line numbers, readable YAML out, files never lost."""

from workbench.documents.nodes import Node, parse_yaml, suggestion
from workbench.documents.writing import render, unprintable

__all__ = ["Node", "parse_yaml", "render", "suggestion", "unprintable"]
