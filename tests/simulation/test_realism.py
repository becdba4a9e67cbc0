"""Simulated CT looks like real CT: noise, structure and edges, measured as in real scans."""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import cache
from multiprocessing import get_context

import numpy as np
import pytest

from benchmarks import realism
from hepatoclr.imaging.volumes import Volume

PATIENTS = 12
# what CT of the liver has in the literature and in the real scans, with room around: HU, 1/mm, mm
PLAUSIBLE = {
    "SD, HU": (8, 40),
    "SD of 9 mm squares, HU": (2.5, 20),
    "NPS mean, 1/mm": (0.1, 0.55),
    "noise SD (root of NPS integral), HU": (5, 30),
    "autocorrelation at 1 mm": (0.1, 0.9),
    "autocorrelation at 4 mm": (0.0, 0.7),
    "skin edge 10-90 %, mm": (1.0, 3.0),
}


def measured(index):
    return realism.measures(*realism.simulated(index, (-71.0, -64.0)))


@cache
def simulated():
    """Each measure in some simulated patients of all stages."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        found = list(pool.map(measured, range(PATIENTS)))
    return {name: np.array([one[name] for one in found]) for name in found[0]}


def middle(*volumes):
    """The same eleven slices of CT and liver, around the one that holds most liver."""
    most = int(volumes[1].array.sum(axis=(1, 2)).argmax())
    return [replace(one, array=one.array[max(most - 5, 0) : most + 6]) for one in volumes]


@pytest.mark.parametrize("measure", PLAUSIBLE)
def test_simulated_livers_are_plausible(measure):
    low, high = PLAUSIBLE[measure]
    assert np.all((simulated()[measure] > low) & (simulated()[measure] < high))


def test_patients_and_scanners_differ():
    noise = simulated()["noise SD (root of NPS integral), HU"]
    assert noise.max() > 1.7 * noise.min()
    assert np.ptp(simulated()["NPS mean, 1/mm"]) > 0.08


@pytest.mark.parametrize("name", realism.NATIVE)
def test_real_livers_lie_within_the_simulated_range(shared_ct, name):
    found = realism.measures(*middle(*realism.real(name, shared_ct)))
    for measure in PLAUSIBLE:
        values = simulated()[measure]
        room = 0.1 * np.ptp(values)  # so few patients do not reach the ends of the range
        assert values.min() - room <= found[measure] <= values.max() + room, measure


# --- the measures themselves ---------------------------------------------------------------


def white(pixel, sd=10.0):
    """White noise around 100 HU, all of it liver, with a pixel size in mm."""
    noise = np.random.default_rng(1).normal(100, sd, (4, 160, 160))
    return noise.astype(np.float32), np.ones(noise.shape, bool), pixel


def test_the_noise_power_spectrum_of_white_noise_is_flat_and_holds_its_variance():
    hu, inside, pixel = white(0.8)
    parts = realism.patches(hu, inside, 32)
    frequency, power = realism.spectrum(parts, pixel)
    assert power[2:] == pytest.approx(100 * pixel**2, rel=0.15)  # SD^2 times the pixel's area
    assert frequency[-1] == pytest.approx(0.5 / pixel)


def test_patches_lie_inside_and_lose_their_trend():
    hu, inside, _ = white(0.8, sd=0.0)
    hu = hu + np.arange(160) + 0.01 * np.arange(160)[:, None] ** 2
    inside[:, :80] = False
    parts = realism.patches(hu, inside, 32)
    assert len(parts) == 4 * 9 * 4
    assert np.abs(parts).max() < 0.01


def test_autocorrelation_is_in_mm():
    hu, inside, _ = white(1.0)
    smooth = np.mean([np.roll(hu, (i, j), (1, 2)) for i in range(4) for j in range(4)], axis=0)
    curve = realism.autocorrelation(smooth, inside, 0.5)
    assert curve[:5] == pytest.approx([1, 0.75, 0.5, 0.25, 0], abs=0.06)  # a box of 4 pixels
    found = realism.correlation(smooth, inside, 0.5)
    assert found["autocorrelation at 1 mm"] == pytest.approx(0.5, abs=0.06)
    assert 1.0 < found["autocorrelation length, mm"] < 1.6


def test_the_eroded_liver_is_3_mm_smaller_on_every_side():
    box = np.zeros((20, 40, 40), np.uint8)
    box[4:16, 10:30, 10:30] = 1
    liver = Volume(box, np.diag([-1.0, -0.5, 2.0, 1.0]))
    deep = np.argwhere(realism.eroded(liver))
    size = np.ptp(deep, axis=0) + 1
    assert size.tolist() == [8, 6, 12]


def test_an_edge_is_as_wide_as_its_blur():
    body = np.full((2, 120, 120), -1000.0)
    body[:, 40:] = 0
    frequency = np.fft.fftfreq(120)
    widths = {}
    for sd in (1.0, 2.0):
        transfer = np.exp(-2 * (np.pi * sd * frequency) ** 2)[:, None]
        soft = np.fft.ifft(np.fft.fft(body, axis=1) * transfer, axis=1).real
        widths[sd] = realism.edge(soft, 0.8)
    assert widths[1.0] == pytest.approx(2.56 * 0.8, rel=0.2)  # 10 to 90 % of a Gaussian's integral
    assert widths[2.0] > 1.6 * widths[1.0]
