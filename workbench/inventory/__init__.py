"""Hosts and labels from what the user keeps and what clusters say."""
