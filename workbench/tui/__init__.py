"""The terminal interface: the only import of textual."""
