"""Session: the one object a front end holds."""

from workbench.session.session import Session
from workbench.session.summary import Summary

__all__ = ["Session", "Summary"]
