"""The pages of the docs that are generated: configuration, cohorts, and the conda environment."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
NOTICE = "<!-- Generated from rules/{name}.schema.yaml by `make docs`; edit that file. -->\n\n"


def configuration(schema: Mapping) -> str:
    """Describe every key of the configuration: type, range, default and meaning."""
    head = (
        "# Configuration\n\nSettings come in layers, the later going before the earlier: the defaults "
        "below (the paper's values), the preset, `config.yaml`, and the command line "
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
        root / "docs/manifest.md": NOTICE.format(name="cohort") + cohorts(schemas["cohort"]),
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
        yield f"\n## {key}\n\n{part['description']}\n"
        yield from _table(f"{key}.", list(_leaves(part)))


def _leaves(part: Mapping, prefix: str = "") -> Iterator[tuple[str, Mapping]]:
    inner = part.get("properties", {})
    other = part.get("additionalProperties")
    if not inner and not isinstance(other, Mapping):
        return
    for key, child in {**inner, **({"<name>": other} if other else {})}.items():
        if child.get("type") == "object" and "properties" in child:
            if "description" in child:
                yield f"{prefix}{key}", child
            yield from _leaves(child, f"{prefix}{key}.")
        elif "description" in child:
            yield f"{prefix}{key}", child
    if not inner and "default" in part:
        return


def _table(prefix: str, keys: list[tuple[str, Mapping]]) -> Iterator[str]:
    if keys:
        yield "| key | values | default | meaning |\n|---|---|---|---|"
    for key, part in keys:
        default = (
            yaml.safe_dump(part["default"], default_flow_style=True).strip()
            if ("default" in part)
            else "required"
        )
        default = default.removesuffix("...").strip()
        yield f"| `{prefix}{key}` | {_values(part)} | `{default}` | {part['description']} |"


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


if __name__ == "__main__":
    for path, text in pages(ROOT).items():
        path.write_text(text, encoding="utf-8")
