"""Findings as rows, panels and timelines: values in, text and tones out."""
