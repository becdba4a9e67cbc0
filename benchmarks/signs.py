"""How well each sign of the simulated patients tells F3-F4, measured on their painted organs.

    python -m benchmarks.signs --patients 1000 --fill docs/simulation.md

As many patients of each stage; no scanner and no noise, so that the table says what there is to
see, not what can be seen. The radiologist's reading stands beside the signs it goes by.
"""

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import ndimage
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks import common, ours
from hepatoclr.simulation import anatomy, body, liver, patients, signs
from hepatoclr.simulation.patients import Patient
from hepatoclr.simulation.shapes import ellipsoid
from hepatoclr.stats import comparison_tests

STEP = 3.0  # mm between the points at which organs are measured
FINE = 1.5  # mm, for the liver's outline

# What is measured; the AUC that patients show, target and published; where published.
SIGNS = {
    "surface nodularity": ("0.79-0.84", "0.79 [1], 0.87 [2]"),
    "spleen volume": ("0.75-0.80", "0.82-0.87 [3], 0.89 [4]"),
    "segmental volume ratio": ("0.75-0.85", "0.86 [4]"),
    "caudate ratio": ("0.75-0.85", "0.75 [5]"),
    "liver volume": ("0.60-0.65", "0.51 [4], 0.63-0.72 [3]"),
    "attenuation": ("0.60-0.70", "0.78-0.80 [6]"),
    "texture": ("0.60-0.70", "0.51-0.74 [7]"),
    "portal vein": ("", "no difference [8]"),
    "ascites": ("rare, specific", ""),
    "all together": ("at most 0.93", "0.94 [9]"),
    "radiologist": ("0.75-0.80", "0.71-0.81 [10], 0.50-0.76 [7]"),
}
SMALLER = ("liver volume", "attenuation")  # in fibrosis
RATIOS = ("spleen volume", "segmental volume ratio", "caudate ratio", "texture")


def measure(who: Patient) -> dict[str, float]:
    """Measure the signs of a patient on the organs as painted.

    Returns:
        Volumes in ml, the segmental ratio (Couinaud I-III over IV-VIII), the caudate over IV-VIII,
        roughness of the outline, mean and SD of the parenchyma in HU, diameter of the portal vein
        in mm, ascites in ml.
    """
    z, y, x = (np.arange(low, high, STEP) for low, high in ((-230, 10), (-135, 135), (-175, 175)))
    hu, labels = anatomy.render(who, z, y, x, STEP)
    whole, ml = labels == body.LIVER, STEP**3 / 1000
    g = patients.grid(who, z, y, x)
    radii = liver.caudate_radii(who.sizes["liver"], who.sizes["hypertrophy"])
    behind = (g.y > -10 + 0.25 * g.x) & (
        np.abs(g.x + 12) < 40
    )  # the fissure of the venous ligament
    caudate = whole & behind & (ellipsoid(g, (-12, 10, -54), radii) < 3)
    left = whole & ~caudate & (g.x > 4 + 0.15 * g.y)  # of the fissure of the round ligament
    rest = whole.sum() - caudate.sum() - left.sum()
    deep = hu[ndimage.binary_erosion(whole, iterations=2)]
    parenchyma = deep[np.abs(deep - np.median(deep)) < 30]  # without vessels and lesions
    return {
        "surface nodularity": roughness(who),
        "spleen volume": (labels == body.SPLEEN).sum() * ml,
        "segmental volume ratio": (caudate.sum() + left.sum()) / rest,
        "caudate ratio": caudate.sum() / rest,
        "liver volume": whole.sum() * ml,
        "attenuation": parenchyma.mean(),
        "texture": parenchyma.std(),
        "portal vein": 2 * who.sizes["portal"],
        "ascites": (labels == body.ASCITES).sum() * ml,
    }


def roughness(who: Patient) -> float:
    """Share of the liver's outline that a majority of the neighbours would change, in slices."""
    z = np.arange(-110, -40, 12.0)
    y, x = (np.arange(-reach, reach, FINE) for reach in (120, 165))
    _, labels = anatomy.render(who, z, y, x, FINE)
    whole = (labels == body.LIVER).astype(float)
    votes = ndimage.uniform_filter(whole, (0, 9, 9))
    outline = np.abs(np.diff(whole, axis=1)).sum() + np.abs(np.diff(whole, axis=2)).sum()
    return float(((votes > 0.5) != whole).sum() / outline)


def measured(count: int) -> pd.DataFrame:
    """Measure patients, as many of each stage: a row each, with stage, reading, site and age."""
    stages = np.repeat(range(5), count // 5).tolist()
    read = partial(_row, noise=ours.config(ours.DEMO)["simulate"]["reader_noise"])
    with ProcessPoolExecutor() as pool:
        return pd.DataFrame(pool.map(read, range(len(stages)), stages, chunksize=5))


def _row(index: int, stage: int, noise: float) -> dict:
    key = (17, index)
    who = patients.patient(key, stage, site=patients.site(key, stage))
    grade = signs.reading(who.signs, noise, who.rng("reader"))
    known = {"radiologist": signs.GRADES.index(grade), "site": who.site, "age": who.sizes["age"]}
    return {"stage": stage, **measure(who), **known}


def advanced(table: pd.DataFrame) -> np.ndarray:
    """Whether each patient has advanced fibrosis, 0 or 1."""
    return (table["stage"] >= patients.ADVANCED).to_numpy(int)


def together(table: pd.DataFrame) -> np.ndarray:
    """Out-of-fold probability of F3-F4 by a logistic regression on all signs."""
    values = table[list(SIGNS)[:-2]].copy()
    values[list(RATIOS)] = np.log(values[list(RATIOS)].clip(lower=1e-3))
    values["ascites"] = values["ascites"] > 30
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    found = cross_val_predict(model, values, advanced(table), cv=10, method="predict_proba")
    return found[:, 1]


def page(table: pd.DataFrame) -> str:
    """The table as Markdown: AUC with its 95 % interval, and mean (SD) by stage."""
    table = table.assign(**{"all together": together(table)})
    ill = advanced(table)
    head, lines = ["sign", "AUC for F3-F4", "aimed at", "published", *signs.STAGES], []
    for name, (aim, published) in SIGNS.items():
        scores = table[name].to_numpy(float) * (-1 if name in SMALLER else 1)
        (auc,), covariance = comparison_tests.delong(ill, scores[None, None])
        low, high = comparison_tests.auc_interval(auc, covariance[0, 0])
        by_stage = table.groupby("stage")[name]
        cells = [f"{m:.3g} ({s:.2g})" for m, s in zip(by_stage.mean(), by_stage.std(), strict=True)]
        lines.append([name, f"{auc:.2f} ({low:.2f}-{high:.2f})", aim, published, *cells])
    return f"{len(table)} patients, as many of each stage.\n\n{common.markdown(head, lines)}\n"


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--patients", type=int, default=200, help="of all stages together")
    parser.add_argument("--fill", type=Path, help="page to put the table into")
    chosen = parser.parse_args()
    found = page(measured(chosen.patients))
    print(found)
    if chosen.fill:
        common.fill(chosen.fill, found, "signs")
