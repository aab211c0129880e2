"""Zero-trust segmentation, offline, in a terminal: see, name, draft, simulate, export."""

__version__ = "0.1.0"
