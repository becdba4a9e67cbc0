"""From raw CT to cached slices."""
