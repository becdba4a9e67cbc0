"""The pretrained networks of an experiment, by name."""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

from hepatoclr.base.errors import UserError

NONE = "none"  # random weights
WEIGHTED = "weak_simclr"  # the method that has a beta
PROTOCOLS = ("linear", "linear_nested", "finetune")
# The linear protocol with features as `linear.scale` does not have them, by that setting.
BESIDE = {False: "linear_scaled", True: "linear_unscaled"}
NESTED = f"{WEIGHTED}-nested"  # each fold takes the beta chosen inside its training patients


def name(method: str, beta: float) -> str:
    """Name the encoder that a method gives; weak_simclr at 0 is simclr and at 1 supervised."""
    if method != WEIGHTED:
        return method
    return {0: "simclr", 1: "supervised"}.get(beta, f"{WEIGHTED}-{beta:g}")


def pretrained(methods: Sequence[str], betas: Sequence[float], beta: float) -> dict[str, dict]:
    """List the pretrainings of an experiment, each once: encoder name to method and beta.

    Args:
        methods: Methods of Table 1.
        betas: Weights of weak_simclr in Table 2.
        beta: Its weight in Table 1.
    """
    specs = {}
    for method, weight in [*((m, beta) for m in methods), *((WEIGHTED, b) for b in betas)]:
        encoder = name(method, weight)
        mixed = encoder.startswith(f"{WEIGHTED}-")
        specs[encoder] = {"method": WEIGHTED, "beta": weight} if mixed else {"method": encoder}
    return specs


def check(methods: Sequence[str], folder: Path) -> None:
    """See that each method has its file.

    Raises:
        UserError: A method has none; with the nearest that has.
    """
    known = sorted(file.stem for file in folder.glob("[a-z]*.py") if file.stem != "base")
    for method in methods:
        if method not in known:
            close = get_close_matches(method, known, n=1, cutoff=0.5)
            hint = f"did you mean {close[0]!r}?" if close else f"known are: {', '.join(known)}"
            raise UserError(f"experiment.methods: there is no method {method!r}; {hint}")


def check_values(experiment: Mapping, tensors: Mapping, network: Mapping) -> None:
    """See that every weight has a name of its own, and that slices fit through the network.

    Args:
        experiment, tensors, network: Sections of the configuration.

    Raises:
        UserError: Two weights have one name; or nothing is left of a slice.
    """
    names: dict[str, float] = {}
    for beta in (experiment["beta"], *experiment["betas"]):
        if (first := names.setdefault(name(WEIGHTED, beta), beta)) != beta:
            raise UserError(
                f"experiment.betas: {first} and {beta} both are {name(WEIGHTED, beta)}; names have "
                "six digits"
            )
    size, padding, blocks = tensors["size"], network["padding"], len(network["channels"])
    side = size
    for block in range(1, blocks + 1):
        side = side + 2 * padding - 4  # a 5x5 convolution, then 2x2 pooling, see `backbone.Block`
        side = side // 2 if padding == 0 else -(-side // 2)
        if side < 1:
            raise UserError(
                f"tensors.size: nothing is left of {size} pixels after block {block} of "
                f"{blocks} with network.padding {padding}; take larger slices, fewer "
                "network.channels or another padding"
            )


def by_method(methods: Sequence[str], beta: float) -> Mapping[str, str]:
    """Rows of Table 1: method to encoder, the baseline first."""
    return {NONE: NONE, **{method: name(method, beta) for method in methods}}


def by_beta(betas: Sequence[float]) -> Mapping[float, str]:
    """Rows of Table 2: beta to encoder."""
    return {beta: name(WEIGHTED, beta) for beta in sorted(betas)}


def splits(
    scheme: str, repeats: int, folds: int, job_per: str
) -> Mapping[str, tuple[int, Sequence[int]]]:
    """List the evaluation jobs of an encoder: name to repeat and folds, all where none is named.

    Args:
        scheme: How patients are split; only "stratified" knows its folds before there are patients.
        repeats: How often the patients are split anew.
        folds: Folds of each repeat.
        job_per: "fold" or "repeat".
    """
    every = range(1, repeats + 1)
    if job_per == "repeat" or scheme != "stratified":
        return {f"repeat{repeat}": (repeat, []) for repeat in every}
    return {
        f"repeat{repeat}-fold{fold}": (repeat, [fold])
        for repeat in every
        for fold in range(1, folds + 1)
    }


def shared_jobs(
    rule: str, wildcard: str, names: Sequence[object], per_job: int
) -> Mapping[str, Sequence[str]]:
    """Say which trainings share a job: name of each rule to what stands for its wildcard.

    Args:
        rule: The rule of one training a job.
        wildcard: What its trainings differ by.
        names: Its values.
        per_job: Trainings in a job; with one, the wildcard stands for itself.
    """
    if per_job == 1:
        return {rule: [f"{{{wildcard}}}"]}
    starts = range(0, len(names), per_job)
    return {
        f"{rule}_{number}": list(map(str, names[start : start + per_job]))
        for number, start in enumerate(starts, start=1)
    }


def listed(names: Sequence[str]) -> str:
    """Names in a rule's message; a wildcard among them is filled in by Snakemake."""
    return ", ".join(names).replace("{", "{wildcards.")


def filled(names: Sequence[str], wildcards: Mapping[str, str]) -> list[str]:
    """Names of the trainings of a job, its wildcards filled in."""
    return [name.format(**dict(wildcards.items())) for name in names]


def fine_tuning(rule: str, name: str) -> dict:
    """Encoder and share of the training patients of a fine-tuning.

    Args:
        rule: "finetune", or "learning_curve", which starts from random weights.
        name: The encoder; or the share.
    """
    if rule == "finetune":
        return {"encoder": name, "fraction": 1.0}
    return {"encoder": NONE, "fraction": float(name)}


def final(encoders: Sequence[str], betas: Mapping[float, str]) -> list[str]:
    """List what is predicted of an external cohort, protocol and encoder, by final models.

    Args:
        encoders: All that are evaluated, random weights included.
        betas: Rows of Table 2; of several, that is taken which the evaluation cohort chooses.
    """
    chosen = [f"{protocol}/{NESTED}" for protocol in PROTOCOLS[1:]] if len(betas) > 1 else []
    return [f"{protocol}/{encoder}" for protocol in PROTOCOLS for encoder in encoders] + chosen


def predictions(
    folder: str,
    protocols: Sequence[str],
    encoders: Sequence[str],
    betas: Mapping[float, str],
    seeds: Sequence[str],
    splits: Iterable[str],
    fractions: Sequence[float],
) -> list[str]:
    """List the predictions that the tables are computed from.

    Args:
        folder: Where they lie.
        protocols: In which each encoder is evaluated.
        encoders: All that are evaluated, random weights included.
        betas: Rows of Table 2; with several, beta is also chosen inside the training folds.
        seeds, splits: Names of the seeds and of the evaluation jobs.
        fractions: Shares of the training patients in the learning curve; 1 is the baseline itself.
    """
    nested = ["linear_nested", "finetune"] if len(betas) > 1 else []
    evaluations = [
        *(f"{protocol}/{encoder}" for protocol in protocols for encoder in encoders),
        *(f"select_beta/{protocol}" for protocol in nested),
        *(f"learning_curve/{fraction}" for fraction in fractions if fraction < 1),
    ]
    return [
        f"{folder}/{evaluation}/{seed}/{split}.csv"
        for evaluation in evaluations
        for seed in seeds
        for split in splits
    ]
