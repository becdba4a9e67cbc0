"""Seeds made of numbers, so that randomness is keyed and not passed along."""

import numpy as np


def derived(*numbers: int) -> int:
    """Make one 32-bit seed of a run's seed and the numbers of what is drawn."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])
