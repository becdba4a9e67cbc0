"""A short run of the fuzz, see fuzz.py; and that its judgement can fail."""

import numpy as np
from example_ct import affine
from fuzz import HU, run, wrong_grid

from hepatoclr.imaging.volumes import Volume


def test_damaged_ct_is_refused_or_read_right():
    outcomes, wrong = run(range(100_000, 100_450))
    assert not wrong
    assert outcomes["read"] > 50
    assert outcomes["refused"] > 100


def test_a_wrong_grid_is_seen():
    facts = {"flags": {}, "ignored": {}}
    assert wrong_grid(Volume(HU, affine(), facts), "explicit") == "read"
    for change in (np.diag([1, 1, 1.1, 1]), np.array(affine(origin=(-1, 0, 0), spacing=(1, 1, 1)))):
        assert wrong_grid(Volume(HU, affine() @ change, facts), "explicit").startswith("wrong")
    assert "silently" in wrong_grid(Volume(HU[:-1], affine(), facts), "explicit")
    assert "extent" in wrong_grid(Volume(HU[:, :-1], affine(), facts), "explicit")
