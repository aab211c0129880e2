"""The flow store: the only import of duckdb, and all SQL."""
