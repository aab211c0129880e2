"""What payload says: light parsers of a few protocols, and one pass over a capture for them."""

from workbench.capture.protocols.listening import VERSION, listen

__all__ = ["VERSION", "listen"]
