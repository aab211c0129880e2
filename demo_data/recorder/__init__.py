"""Builds the demo site from network namespaces, lets its day pass, and records it."""
