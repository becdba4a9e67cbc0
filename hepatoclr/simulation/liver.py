"""The liver of a synthetic patient: its shape, surface, texture, vessels and lesions."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hepatoclr.simulation.body import LIVER, Body
from hepatoclr.simulation.patients import Patient
from hepatoclr.simulation.shapes import Grid, blend, branches, ellipsoid, field, tube

BOTTOM, TOP = -184.0, 0.0  # reference heights that hold every liver, mm
TEXTURE_MM = (5, 9, 22)  # sizes in the pattern of the parenchyma: lobules, nodules, perfusion
FAINT = 0.5  # a vessel that fills less of a pixel is left out


def shape(g: Grid, size: float, atrophy: float, hypertrophy: float) -> np.ndarray:
    """The liver before the organs around it leave their marks.

    Args:
        g: Sample points.
        size: Factor of all its radii.
        atrophy: Shrinks the right lobe and segment IV, as fibrosis does.
        hypertrophy: Lets the caudate and the left lateral lobe grow, as fibrosis does.
    """
    a, h = atrophy, hypertrophy
    leaning = replace(g, x=g.x - 0.18 * (g.z + 72))
    radii = _scaled(size, 66 - 9 * a, 82 - 10 * a, 90 - 8 * a)
    right = ellipsoid(leaning, (-76 - 4 * a, 4, -72), radii, 2.4)
    radii = _scaled(size, 42 - 6 * a, 46 - 5 * a, 46 - 8 * a)
    middle = ellipsoid(g, (-28, -32, -58), radii)
    rising = replace(g, z=g.z + 0.12 * g.x)
    left = ellipsoid(rising, (14, -44, -46), _scaled(size, 68 + 9 * h, 36 + 6 * h, 40 + 9 * h))
    caudate = ellipsoid(g, (-12, 10, -54), caudate_radii(size, hypertrophy))
    whole = blend(blend(blend(right, middle, 14.0), left, 12.0), caudate, 5.0)
    wedge = np.abs(g.x - 4 - 0.15 * g.y) - 0.2 + 0.035 * (g.y + 24)  # wider in front
    teres = np.maximum(wedge, np.maximum(g.y + 24, g.z + 58))
    venosum = np.maximum(np.abs(g.y + 10 - 0.25 * g.x) - 0.9, np.abs(g.x - 4) - 22)
    venosum = np.maximum(venosum, np.abs(g.z + 52) - 24)
    renal_bed = ellipsoid(g, (-42, 66, -135), (36, 46, 88))
    return np.maximum(whole, -np.minimum(np.minimum(teres, venosum), renal_bed))


def caudate_radii(size: float, hypertrophy: float) -> tuple[float, ...]:
    """Radii of the caudate lobe along (x, y, z)."""
    return _scaled(size, 17 + 7 * hypertrophy, 17 + 6 * hypertrophy, 28 + 10 * hypertrophy)


def _scaled(size: float, *radii: float) -> tuple[float, ...]:
    return tuple(size * radius for radius in radii)


def liver_trees(who: Patient) -> list[Sequence[tuple]]:
    """Portal and hepatic veins inside the liver."""
    r, k = who.sizes["portal"], who.sizes["hepatic"]
    portal = [
        [(-34, -4, -76, 0.9 * r), (-62, 6, -72, 5), (-98, 28, -92, 3)],
        [(-48, 0, -74, 5), (-74, -22, -58, 4), (-92, -40, -52, 2)],
        [(-34, -4, -76, 0.8 * r), (-8, -24, -64, 5), (6, -44, -58, 4), (34, -52, -56, 2)],
    ]
    hepatic = [
        [(-22, 8, -20, 6 * k), (-60, 14, -36, 5 * k), (-108, 18, -80, 2 * k)],
        [(-20, 4, -22, 5 * k), (-34, -22, -40, 4 * k), (-52, -54, -84, 2 * k)],
        [(-18, 4, -22, 5 * k), (2, -26, -34, 4 * k), (44, -50, -44, 2 * k)],
    ]
    rng = who.rng("trees")
    return [path for trunk in portal + hepatic for path in branches(rng, trunk, 3)]


def paint_liver(b: Body) -> None:
    """Gallbladder, then the liver with its surface, texture, vessels and, in some, lesions."""
    sizes, hu = b.who.sizes, b.who.hu
    box, g = b.g.crop((-150, -110, BOTTOM - 15), (110, 100, TOP + 15))
    bladder = ellipsoid(replace(g, y=g.y - 0.3 * (g.z + 108)), (-46, -42, -108), (14, 16, 27))
    if sizes["removed_gallbladder"]:  # two clips, each of which fills half of its pixels
        b.paint(np.maximum(tube(g, [(-34, -22, -92, 1.5), (-36, -24, -97, 1.5)]), 0), 2500, box)
    else:
        b.place(bladder, 12, box, gap=1, margin=-1)
    surface = sizes["nodularity"] * field(b.who.rng("nodules"), g.axes, 15)
    inset = 0.15 * sizes["gap"] + 0.6 * sizes["nodularity"] + 0.5 * sizes["ascites"]
    # the wall presses nodules flat, and near the dome a little displacement goes a long way
    pressed = b.abdomen[box] + inset + 0.6 * surface
    # the less fat there is, the closer the liver comes to the wall in front
    forward = np.where(g.y < 0, 1 - 0.16 * np.clip(1.2 - sizes["fat"] / 30, 0, 1), 1)
    lean = 4 * field(b.who.rng("lobes"), g.axes, 75, 12)
    bent = replace(g, x=g.x + lean, y=g.y * forward.astype(np.float32))
    lobes = shape(bent, sizes["liver"], sizes["atrophy"], sizes["hypertrophy"])
    whole = np.maximum(lobes + surface, pressed)
    # what is finer than a pixel averages out in it
    pattern = [
        np.sinc(min(b.edge / mm, 1)) * field(b.who.rng(f"texture{mm}"), g.axes, mm)
        for mm in TEXTURE_MM
    ]
    grain = sum(pattern) / np.sqrt(len(pattern))
    whole = b.place(whole, hu["liver"] + sizes["texture"] * grain, box, gap=1.5, label=LIVER)
    within = np.full_like(b.room, 1000)
    within[box] = whole
    for path in liver_trees(b.who):
        # a vessel thinner than a pixel fills only a share of it
        share = min(1.0, 2 * float(np.mean(path, 0)[3]) / b.edge)
        low, high = np.min(path, 0)[:3] - 9, np.max(path, 0)[:3] + 9
        part, near = b.g.crop(tuple(low), tuple(high))
        if share < FAINT or not near.x.size:
            continue
        blood = hu["liver"] + share * (hu["portal"] - hu["liver"])
        b.paint(np.maximum(tube(near, path), within[part] + 1.5), blood, part)
    _paint_lesions(b, within)


def _paint_lesions(b: Body, within: np.ndarray) -> None:
    """Cysts, metastases and a carcinoma, which show less contrast than the liver around them."""
    sizes, liver_hu = b.who.sizes, b.who.hu["liver"]
    kinds = (
        ("cysts", sizes["cysts"], (4, 12), b.who.hu["fluid"]),
        ("metastases", sizes["metastases"], (5, 18), liver_hu - 38),
        ("carcinoma", sizes["carcinoma"], (10, 28), liver_hu - 22),
    )
    for kind, count, (least, most), hu in kinds:
        rng = b.who.rng(kind)
        for _ in range(round(max(count, 0))):
            centre = rng.uniform((-110, -40, -120), (-30, 40, -30))
            radius = float(rng.uniform(least, most))
            part, near = b.g.crop(tuple(centre - 1.5 * most), tuple(centre + 1.5 * most))
            lesion = ellipsoid(near, tuple(map(float, centre)), (radius, radius, radius))
            lesion += 0.12 * radius * field(rng, near.axes, 14) if kind != "cysts" else 0
            b.paint(np.maximum(lesion, within[part] + 1), hu, part)
