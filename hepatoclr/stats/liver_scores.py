"""Scores of liver fibrosis and function from blood and age; any shape, NaN where a value is."""

import numpy as np
from numpy.typing import ArrayLike

AST_UPPER_LIMIT = 40  # of normal, U/L, as most use for APRI
NEEDED = {  # covariates that each score is made of, by the name of its baseline
    "FIB-4": ("age", "ast", "alt", "platelets"),
    "APRI": ("ast", "platelets"),
    "ALBI": ("albumin", "bilirubin"),
}


def fib4(age: ArrayLike, ast: ArrayLike, alt: ArrayLike, platelets: ArrayLike) -> np.ndarray:
    """FIB-4 = age x AST / (platelets x square root of ALT); higher with more fibrosis.

    Args:
        age: Years.
        ast, alt: U/L.
        platelets: 10^9/L.

    Source: Sterling et al., Hepatology 43:1317 (2006).
    """
    return np.multiply(age, ast) / (np.asarray(platelets) * np.sqrt(alt))


def apri(ast: ArrayLike, platelets: ArrayLike) -> np.ndarray:
    """APRI = 100 x AST / its upper limit of normal / platelets; higher with more fibrosis.

    Args:
        ast: U/L; its upper limit of normal is taken as `AST_UPPER_LIMIT`.
        platelets: 10^9/L.

    Source: Wai et al., Hepatology 38:518 (2003).
    """
    return 100 * np.divide(ast, AST_UPPER_LIMIT) / np.asarray(platelets)


def albi(albumin: ArrayLike, bilirubin: ArrayLike) -> np.ndarray:
    """ALBI = 0.66 x log10 of bilirubin - 0.085 x albumin; higher with less function.

    Args:
        albumin: g/L.
        bilirubin: µmol/L.

    Source: Johnson et al., Journal of Clinical Oncology 33:550 (2015).
    """
    return 0.66 * np.log10(bilirubin) - 0.085 * np.asarray(albumin)


SCORES = {"FIB-4": fib4, "APRI": apri, "ALBI": albi}
