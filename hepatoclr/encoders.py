"""The pretrained networks of an experiment, by name."""

from collections.abc import Mapping, Sequence

NONE = "none"  # random weights


def name(method: str, beta: float) -> str:
    """Name the encoder that a method gives; weak_simclr at 0 is simclr and at 1 supervised."""
    if method != "weak_simclr":
        return method
    return {0: "simclr", 1: "supervised"}.get(beta, f"weak_simclr-{beta:g}")


def pretrained(methods: Sequence[str], betas: Sequence[float], beta: float) -> dict[str, dict]:
    """List the pretrainings of an experiment, each once: encoder name to method and beta.

    Args:
        methods: Methods of Table 1.
        betas: Weights of weak_simclr in Table 2.
        beta: Its weight in Table 1.
    """
    specs = {}
    for method in methods:
        for weight in [*betas, beta] if method == "weak_simclr" else [beta]:
            encoder = name(method, weight)
            plain = encoder != f"weak_simclr-{weight:g}"
            specs[encoder] = {"method": encoder} if plain else {"method": method, "beta": weight}
    return specs


def by_method(methods: Sequence[str], beta: float) -> Mapping[str, str]:
    """Rows of Table 1: method to encoder, the baseline first."""
    return {NONE: NONE, **{method: name(method, beta) for method in methods}}


def by_beta(betas: Sequence[float]) -> Mapping[float, str]:
    """Rows of Table 2: beta to encoder."""
    return {beta: name("weak_simclr", beta) for beta in sorted(betas)}
