"""Text documents the user keeps: YAML with line numbers, readable YAML out, files never lost."""

from workbench.documents.files import digest, read_text, write_atomic
from workbench.documents.nodes import Node, parse_yaml, suggestion
from workbench.documents.writing import render, unprintable

__all__ = [
    "Node",
    "digest",
    "parse_yaml",
    "read_text",
    "render",
    "suggestion",
    "unprintable",
    "write_atomic",
]
