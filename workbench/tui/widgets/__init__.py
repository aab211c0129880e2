"""Widgets: values in, wishes out."""
