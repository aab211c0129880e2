"""Exported files to verdicts, sharing no code with the exporters."""
