"""policy.yaml to Policy and back, edits, resolution, and decide(): the reference meaning."""
