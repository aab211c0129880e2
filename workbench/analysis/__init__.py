"""A policy replayed on traffic: simulation, coverage, suggestions, explanations, the matrix."""
