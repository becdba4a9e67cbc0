"""What the networks looked at, and what their features encode."""
