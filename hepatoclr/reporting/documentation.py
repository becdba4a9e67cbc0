"""What is generated: pages of the docs, the preset of the paper, and the conda environment."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

from hepatoclr.base import settings

NOTICE = "<!-- Generated from rules/{name}.schema.yaml by `make docs`; edit that file. -->\n\n"


def configuration(schema: Mapping) -> str:
    """Describe every key of the configuration: type, range, default and meaning."""
    head = (
        "# Configuration\n\nSettings come in layers, each overriding those before it: the "
        "defaults below, the preset, `config.yaml`, and the command line "
        "(`snakemake --config 'slices={fraction: 0.5}'`). An unknown key is an error. *Origin* is "
        "where a default is from: the paper, the code of its authors' follow-up, or ours; what the "
        "paper says of each key is in [the paper, key by key](paper.md).\n"
    )
    return NOTICE.format(name="config") + head + "\n".join(_sections(schema))


def paper(schema: Mapping) -> str:
    """Lay the paper beside every key: what it says, our default, where that is from, the code."""
    head = (
        "# The paper, key by key\n\nWhat the paper says (Sarfati et al., ISBI 2023, "
        "[arXiv 2302.08427](https://arxiv.org/abs/2302.08427)), our default, and where that is "
        "from: the *paper*, the *follow-up code* of its authors (arXiv 2307.04617), or *ours*, "
        "where both are silent or the question is not theirs. What no key changes, and every "
        "deviation: [how the paper is read](reproduction.md).\n\n"
        "| key | the paper | our default | origin | code |\n|---|---|---|---|---|\n"
    )
    rows = [
        f"| `{key}` | {part.get('paper', '')} | {_default(part)} | {part['origin']} | "
        f"[{part['code'].removeprefix('hepatoclr/')}](../{part['code']}) |\n"
        for key, part in settings.keys(schema).items()
    ]
    return NOTICE.format(name="config") + head + "".join(rows)


def paper_preset(schema: Mapping) -> str:
    """Write out the defaults as a preset, each with its origin."""
    lines = [
        "# Every key with its default, and where that is from: the paper (ISBI 2023, arXiv "
        "2302.08427), the code of its",
        "# authors' follow-up (arXiv 2307.04617), or ours. The cohorts are yours to name. "
        "Generated: make docs.",
    ]
    sections = []
    for key, part in settings.keys(schema).items():
        section, _, name = key.rpartition(".")
        if key == "preset" or key.startswith("cohorts."):
            continue
        if section not in ("", *sections):
            sections.append(section)
            lines.append(f"{section}:")
        default = "paper" if key == "run" else part["default"]
        lines += [f"{'  ' * bool(section)}{line}" for line in _lines(name, default, part["origin"])]
    return "\n".join([*lines, ""])


def cohorts(schema: Mapping) -> str:
    """Describe the columns of a manifest."""
    rows = [
        f"| `{name}` | {'yes' if name in schema['required'] else ''} | {part['description']} |"
        for name, part in schema["properties"].items()
    ]
    return "\n".join(["| column | required | meaning |", "|---|---|---|", *rows, ""])


def covariates(schema: Mapping) -> str:
    """Describe the covariates that are known: kind, unit, range."""
    head = (
        "## Covariates\n\nFurther columns, named under "
        "[`covariates`](configuration.md#covariates) of the configuration, tell what is known of "
        "the patients beside the image: a `number`, a `category` (any text) or a `date`. Cells may "
        "be empty. Columns of other names are free; of these, unit and range are checked.\n"
    )
    rows = [
        f"| `{name}` | {of['kind']} | {of.get('unit', '')} | {_range(of)} | {of['description']} |"
        for name, of in schema["covariates"].items()
    ]
    table = ["| column | kind | unit | range | meaning |", "|---|---|---|---|---|"]
    return "\n".join([head, *table, *rows, ""])


def _range(known: Mapping) -> str:
    return f"{known['minimum']} to {known['maximum']}" if "minimum" in known else ""


def conda(pins: str) -> dict:
    """Turn pip's pins into a conda environment of the same packages."""
    packages = [line for line in pins.splitlines() if line and not line.startswith("#")]
    return {
        "name": "hepatoclr",
        "channels": ["conda-forge", "nodefaults"],
        "dependencies": ["python=3.11", "pip", {"pip": packages}],
    }


def pages(root: Path) -> dict[Path, str]:
    """Give the text of every generated file, by path."""
    schemas = {
        name: yaml.safe_load((root / f"rules/{name}.schema.yaml").read_text())
        for name in ("config", "cohort")
    }
    return {
        root / "docs/configuration.md": configuration(schemas["config"]),
        root / "docs/paper.md": paper(schemas["config"]),
        root / "presets/paper.yaml": paper_preset(schemas["config"]),
        root / "docs/manifest.md": NOTICE.format(name="cohort")
        + "# Cohort manifest\n\n"
        + cohorts(schemas["cohort"])
        + "\n"
        + covariates(schemas["cohort"]),
        root / "envs/hepatoclr.yaml": "# The pins of requirements.txt for --sdm conda; make docs.\n"
        + yaml.safe_dump(conda((root / "envs/requirements.txt").read_text()), sort_keys=False),
    }


def _sections(schema: Mapping) -> Iterator[str]:
    """A table of the plain keys, then a section for each mapping."""
    plain, nested = [], []
    for key, part in schema["properties"].items():
        (nested if part.get("type") == "object" else plain).append((key, part))
    yield from _table("", plain)
    for key, part in nested:
        yield f"\n## {key}\n\n{part['description']}"
        yield from _table(f"{key}.", list(settings.described(part)))


def _table(prefix: str, keys: list[tuple[str, Mapping]]) -> Iterator[str]:
    if keys:
        yield "\n| key | values | default | origin | meaning |\n|---|---|---|---|---|"
    for key, part in keys:
        cells = (f"`{prefix}{key}`", _values(part), _default(part), part.get("origin", ""))
        yield f"| {' | '.join(cells)} | {part['description']} |"


def _default(part: Mapping) -> str:
    if "default" not in part:
        return "required" if part.get("required_here") else ""
    return f"`{settings.one_line(part['default'])}`"


def _lines(name: str, value: object, remark: str) -> list[str]:
    """A key with its value as YAML, a line for each item of a mapping."""
    if not isinstance(value, Mapping) or not value:
        return [f"{name}: {settings.one_line(value)}  # {remark}"]
    items = (f"  {key}: {settings.one_line(item)}" for key, item in value.items())
    return [f"{name}:  # {remark}", *items]


def _values(part: Mapping) -> str:
    if "enum" in part:
        return ", ".join(f"`{option}`" for option in part["enum"])
    bounds = {
        "minimum": "≥ {}",
        "exclusiveMinimum": "> {}",
        "maximum": "≤ {}",
        "exclusiveMaximum": "< {}",
    }
    limits = [text.format(part[key]) for key, text in bounds.items() if key in part]
    kind = {"array": "list", "object": "mapping"}.get(part["type"], part["type"])
    return " ".join([kind, ", ".join(limits)]).strip()
