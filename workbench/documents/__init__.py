"""Text documents the user keeps: YAML with line numbers, readable YAML out, files never lost."""

from workbench.documents.checks import (
    Problem,
    cidr_problem,
    label_key_problem,
    label_problem,
    unique,
)
from workbench.documents.files import digest, read_if_there, read_text, write_atomic
from workbench.documents.nodes import Node, parse_yaml, suggestion
from workbench.documents.patching import patch, updated
from workbench.documents.writing import render, unprintable

__all__ = [
    "Node",
    "Problem",
    "cidr_problem",
    "digest",
    "label_key_problem",
    "label_problem",
    "parse_yaml",
    "patch",
    "read_if_there",
    "read_text",
    "render",
    "suggestion",
    "unique",
    "unprintable",
    "updated",
    "write_atomic",
]
