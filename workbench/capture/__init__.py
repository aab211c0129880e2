"""Capture files to flow columns: the reader, the compiled kernel, the flow table, one flow dissected."""
