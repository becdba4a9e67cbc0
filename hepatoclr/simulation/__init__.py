"""Synthetic patients and their CTs."""
