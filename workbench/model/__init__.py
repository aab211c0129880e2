"""Frozen values and the error tree. Imports only the standard library and numpy."""
