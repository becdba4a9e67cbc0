"""Whether the metadata of a bundle say all that a prediction needs, before any work."""

from collections.abc import Mapping
from pathlib import Path

from hepatoclr.base import messages, settings
from hepatoclr.base.errors import UserError
from hepatoclr.prediction import bundles

NUMBER, TEXT, OBJECT = {"type": "number"}, {"type": "string"}, {"type": "object"}
PAIR = {"type": "array", "items": NUMBER, "minItems": 2, "maxItems": 2}
CLASS = settings.objects(name=TEXT, labels={"type": "array", "items": TEXT})
SCHEMA = settings.objects(
    name=TEXT,
    encoder=TEXT,
    protocol={"enum": ["linear", "linear_nested", "finetune"]},
    intended_use=TEXT,
    licence=TEXT,
    members={"type": "array", "items": settings.objects(seed=NUMBER, weights=TEXT), "minItems": 1},
    preprocessing=settings.objects(ingest=OBJECT, segment=OBJECT, slices=OBJECT, tensors=OBJECT),
    checks=OBJECT,
    network=OBJECT,
    classes=settings.objects(negative=CLASS, positive=CLASS),
    threshold=settings.objects(value=NUMBER, rule=TEXT),
    conformal=settings.objects(coverage=NUMBER, negative=OBJECT, positive=OBJECT),
    limits=settings.objects(ranges={"type": "object", "additionalProperties": PAIR}),
    trained_on=OBJECT,
    performance=OBJECT,
    disclaimers={"type": "array", "items": TEXT},
    made_by=OBJECT,
    files={"type": "object", "additionalProperties": TEXT},
)


def check(path: str | Path, facts: Mapping) -> None:
    """See that metadata hold what is used of them.

    Args:
        path: The bundle, for the message.
        facts: Its metadata, see `bundles.metadata`.

    Raises:
        UserError: Something is missing or of another kind; a file that is named is not listed.
    """
    head = f"{path}: {bundles.METADATA}"
    if wrong := settings.problems(facts, SCHEMA):
        raise UserError(f"{messages.listing(f'{head} has', wrong)}\n{bundles.ASK}")
    named = [member[key] for member in facts["members"] for key in member if key != "seed"]
    if missing := sorted({*named} - {*facts["files"]}):
        raise UserError(f"{head} does not list {', '.join(missing)}. {bundles.ASK}")


def in_force(config: Mapping) -> dict:
    """The configuration of a run that applies a bundle, if it does: the bundle says how.

    Raises:
        UserError: As `bundles.metadata` and `check`.
    """
    if not (path := config["bundle"]["apply"]):
        return dict(config)
    facts = bundles.metadata(path)
    check(path, facts)
    way = facts["preprocessing"]
    found = {part: {**config[part], **way[part]} for part in ("segment", "slices", "tensors")}
    fill = {"fill_slices": way["ingest"]["fill_slices"]}
    return {**config, **found, "checks": facts["checks"], "ingest": {**config["ingest"], **fill}}
