"""Predictions, metrics, and the tests that compare methods."""
