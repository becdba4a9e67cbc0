"""The result tables, computed from predictions alone."""
