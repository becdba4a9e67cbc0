"""Does it work? A study with a known truth: simulated cohorts of the paper's shape."""
