"""Fuzzing of everything between a capture file's bytes and its flows. See docs/testing.md."""
