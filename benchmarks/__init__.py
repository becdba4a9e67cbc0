"""Measurements beside peers and ceilings; `python -m benchmarks` runs them all."""
