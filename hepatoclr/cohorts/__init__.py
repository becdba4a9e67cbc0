"""Manifests, the table of a cohort, quality flags, splits, leakage."""
