"""Session: the one object a front end holds."""

from workbench.analysis import BrokenGuardrail
from workbench.session.session import Session
from workbench.session.summary import Summary

__all__ = ["BrokenGuardrail", "Session", "Summary"]
