"""The model card of a bundle, written from its metadata."""

from collections.abc import Iterator, Mapping

from hepatoclr.prediction import applicability
from hepatoclr.reporting import formatting

MEASURES = {
    "auc": "AUC",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "balanced_accuracy": "balanced accuracy",
    "brier": "Brier score",
    "calibration_slope": "calibration slope",
    "calibration_intercept": "calibration intercept",
}


def card(facts: Mapping) -> str:
    """Write the card as Markdown.

    Args:
        facts: The bundle's metadata.
    """
    positive, negative = (facts["classes"][side]["name"] for side in ("positive", "negative"))
    disclaimers = [formatting.DISCLAIMERS[name] for name in facts["disclaimers"]]
    sections = {
        "": [*(f"**{text}**" for text in disclaimers), facts["intended_use"]],
        "What it predicts": [
            f"The probability that a patient has {positive} rather than {negative} by histology, "
            f"from a CT of the abdomen. At {facts['threshold']['value']:.2f} or more it says "
            f"{positive}; the threshold is {facts['threshold']['rule']}."
        ],
        "How": [how(facts)],
        "Whom it was trained on": list(populations(facts)),
        "How good it is": list(performance(facts)),
        "What it refuses, and what it warns of": [
            "A CT that the stages of a run would exclude is refused with the same reason: "
            f"{', '.join(facts['checks']['exclude']) or 'no flag'} among the flags. A warning "
            "comes with a CT beyond what the models have seen:",
            *_listed(limits(facts)),
        ],
        "Licence": [facts["licence"]],
    }
    lines = [f"# {facts['name']}", ""]
    for title, paragraphs in sections.items():
        lines += [f"## {title}", ""] * bool(title)
        for paragraph in paragraphs:
            lines += [paragraph] if paragraph.startswith("- ") else [paragraph, ""]
        lines += [""] * (lines[-1] != "")
    return "\n".join(lines)


def _listed(texts: Iterator[str]) -> list[str]:
    return [f"- {text}" for text in texts]


def how(facts: Mapping) -> str:
    """The way from CT to probability in a few sentences."""
    way, encoder = facts["preprocessing"], formatting.method_label(facts["encoder"])
    low, high = way["tensors"]["window"]
    regression = {
        "finetune": "the network was fine-tuned as a whole",
        "linear": "a logistic regression reads its features",
        "linear_nested": "a logistic regression with a chosen penalty reads its features",
    }[facts["protocol"]]
    seeds = len(facts["members"])
    backend, model = way["segment"]["backend"], way["segment"]["model"]
    liver = "Liver from given masks" if backend == "provided" else f"Liver by {backend} ({model})"
    several = f"; the mean over {seeds} trainings" if seeds > 1 else ""
    return (
        f"{liver}; the central {way['slices']['fraction']:.0%} of the "
        f"axial slices that hold liver, by {way['slices']['by']}, clipped to {low} to {high} HU, "
        f"{way['tensors']['size']} by {way['tensors']['size']} pixels. Pretraining {encoder}; "
        f"{regression}{several}. The probability of a patient is the mean over slices."
    )


def populations(facts: Mapping) -> Iterator[str]:
    """A sentence per cohort."""
    for name, of in facts["trained_on"].items():
        counts = f"{of['positive']} positive, {of['negative']} negative"
        if of["unlabelled"]:
            counts += f", {of['unlabelled']} without a label"
        yield f"- {name} ({of['role']}): {of['patients']} patients, {counts}; {of['cases']} CT."


def performance(facts: Mapping) -> Iterator[str]:
    """A line inside, and one per external cohort."""
    inside = facts["performance"]["inside"]
    known = [
        f"{words} {_with_interval(inside[name])}"
        for name, words in MEASURES.items()
        if inside.get(name) and inside[name][0] is not None
    ]
    yield f"- Cross-validated: {', '.join(known)}."
    for row in facts["performance"]["external"]:
        if row["auc"] is None:
            yield f"- In {row['cohort']}: {row['note']}."
            continue
        auc = _with_interval([row["auc"], row["low"], row["high"]])
        note = f"; {row['note']}" if row["note"] else ""
        yield f"- In {row['cohort']}, {row['patients']} patients: AUC {auc}{note}."
    if not facts["performance"]["external"]:
        yield "- It was tested in no other hospital."


def _with_interval(three: list) -> str:
    estimate, low, high = three
    if low is None or high is None:
        return f"{estimate:.2f}"
    return f"{estimate:.2f} (95 % interval {low:.2f} to {high:.2f})"


def limits(facts: Mapping) -> Iterator[str]:
    """What the models have seen."""
    for name, (low, high) in facts["limits"]["ranges"].items():
        words, unit, decimals = applicability.RANGES[name]
        yield f"{words} {low:.{decimals}f} to {high:.{decimals}f} {unit}"
    yield f"contrast phase {' or '.join(facts['checks']['phase'])}"
    if any("space" in member for member in facts["members"]):
        yield f"features as far from the others' as those of {applicability.SHARE:.0%} of patients"
