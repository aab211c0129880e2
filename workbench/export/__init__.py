"""A resolved policy to files, one module a target."""
