"""The pages of the docs that are generated: configuration, cohorts, and the conda environment."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

NOTICE = "<!-- Generated from rules/{name}.schema.yaml by `make docs`; edit that file. -->\n\n"


def configuration(schema: Mapping) -> str:
    """Describe every key of the configuration: type, range, default and meaning."""
    head = (
        "# Configuration\n\nSettings come in layers, each overriding those before it: the "
        "defaults below (the paper's values), the preset, `config.yaml`, and the command line "
        "(`snakemake --config 'slices={fraction: 0.5}'`). An unknown key is an error.\n"
    )
    return NOTICE.format(name="config") + head + "\n".join(_sections(schema))


def cohorts(schema: Mapping) -> str:
    """Describe the columns of a manifest."""
    rows = [
        f"| `{name}` | {'yes' if name in schema['required'] else ''} | {part['description']} |"
        for name, part in schema["properties"].items()
    ]
    return "\n".join(["| column | required | meaning |", "|---|---|---|", *rows, ""])


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
        root / "docs/manifest.md": NOTICE.format(name="cohort")
        + "# Cohort manifest\n\n"
        + cohorts(schemas["cohort"]),
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
        yield from _table(f"{key}.", list(_leaves(part)))


def _leaves(part: Mapping, prefix: str = "") -> Iterator[tuple[str, Mapping]]:
    """The described keys below a mapping, at every depth, with their dotted names."""
    other = part.get("additionalProperties") or {}
    named = {**part.get("properties", {}), **({"<name>": other} if "properties" in other else {})}
    for key, child in named.items():
        if "description" in child:
            required = key in part.get("required", [])
            yield f"{prefix}{key}", {**child, "required_here": required}
        yield from _leaves(child, f"{prefix}{key}.")


def _table(prefix: str, keys: list[tuple[str, Mapping]]) -> Iterator[str]:
    if keys:
        yield "\n| key | values | default | meaning |\n|---|---|---|---|"
    for key, part in keys:
        yield f"| `{prefix}{key}` | {_values(part)} | {_default(part)} | {part['description']} |"


def _default(part: Mapping) -> str:
    if "default" not in part:
        return "required" if part.get("required_here") else ""
    text = yaml.safe_dump(
        part["default"], default_flow_style=True, width=float("inf"), sort_keys=False
    )
    return f"`{text.strip().removesuffix('...').strip()}`"


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
