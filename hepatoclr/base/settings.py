"""Settings in layers: the schema's defaults, then a preset, then what the user chose."""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from hepatoclr.base import messages
from hepatoclr.base.errors import UserError

TRUTH = {"true": True, "True": True, "false": False, "False": False}


def resolve(chosen: Mapping, schema: Mapping, presets: Path) -> dict:
    """Complete what the user chose with the preset and the schema's defaults, and check it.

    Args:
        chosen: The user's settings: `config.yaml` under the command line.
        schema: JSON schema with a default for every key.
        presets: Folder of the presets, one YAML file each.

    Returns:
        Every setting.

    Raises:
        UserError: All that is wrong, one line each.
    """
    default = schema["properties"]["preset"]["default"]
    config = typed(merge(preset(chosen.get("preset", default), presets), chosen), schema)
    wrong = [*problems(config, schema), *_control_characters(config)]
    if wrong:
        raise UserError(messages.listing("the configuration has", wrong))
    return with_defaults(config, schema)


def read(path: str | Path) -> dict:
    """Read a file of settings as data; Snakemake's own reader would run expressions in it.

    Returns:
        The settings, unchecked; none where there is no file.

    Raises:
        UserError: It is no YAML, or something else than keys with values.
    """
    try:
        given = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise UserError(f"{path}: cannot be read as YAML ({error})") from None
    if not isinstance(given or {}, dict):
        raise UserError(f"{path}: must hold keys with values, as `preset: demo`")
    return given or {}


def preset(name: str, presets: Path) -> dict:
    """Read a preset by name; one that names another in `preset` is laid over that."""
    known = sorted(file.stem for file in presets.glob("*.yaml"))
    if name not in known:
        hint = _hint(str(name), known) or f"; known are: {', '.join(known)}"
        raise UserError(f"preset: there is no preset {name!r}{hint}")
    given = read(presets / f"{name}.yaml")
    below = given.pop("preset", None)
    return merge(preset(below, presets), given) if below else given


def merge(lower: Mapping, upper: Mapping) -> dict:
    """Lay one mapping over another; mappings merge, everything else is replaced."""
    merged = dict(lower)
    for key, value in upper.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = merge(merged[key], value) if both else value
    return merged


def typed(value: Any, schema: Mapping) -> Any:
    """Turn text into the numbers and truth values that the schema wants, where it can be.

    Snakemake's command line gives nested values as text, and YAML 1.1 reads 1e-4 as text.
    """
    if isinstance(value, Mapping):
        known, others = schema.get("properties", {}), schema.get("additionalProperties") or {}
        return {key: typed(item, known.get(key, others)) for key, item in value.items()}
    if isinstance(value, list):
        return [typed(item, schema.get("items", {})) for item in value]
    if isinstance(value, str):
        value = {str(option): option for option in schema.get("enum", [])}.get(value, value)
    kinds = {"integer": [int], "number": [int, float], "boolean": [TRUTH.__getitem__]}
    for kind in kinds.get(schema.get("type"), []) if isinstance(value, str) else []:
        with suppress(ValueError, KeyError):
            return kind(value)
    return value


def with_defaults(value: Any, schema: Mapping) -> Any:
    """Fill in the schema's defaults, at every depth."""
    if not isinstance(value, Mapping):
        return value
    known, others = schema.get("properties", {}), schema.get("additionalProperties") or {}
    missing = {key: about["default"] for key, about in known.items() if "default" in about}
    return {
        key: with_defaults(item, known.get(key, others))
        for key, item in {**missing, **value}.items()
    }


def described(schema: Mapping, prefix: str = "") -> Iterator[tuple[str, Mapping]]:
    """The described keys of a schema, at every depth, with their dotted names."""
    other = schema.get("additionalProperties") or {}
    named = {**schema.get("properties", {}), **({"<name>": other} if "properties" in other else {})}
    for key, part in named.items():
        if "description" in part:
            required = key in schema.get("required", [])
            yield f"{prefix}{key}", {**part, "required_here": required}
        yield from described(part, f"{prefix}{key}.")


def keys(schema: Mapping) -> dict[str, Mapping]:
    """The keys that hold a value, by dotted name; where one has no `code`, its section's."""
    found = {}
    for key, part in described(schema):
        if "origin" in part:
            section = schema["properties"][key.split(".")[0]]
            found[key] = {"code": section.get("code"), **part}
    return found


def origins(config: Mapping, schema: Mapping) -> dict[str, dict[str, str]]:
    """Say where the values in force of all sections but the cohorts' are from.

    Returns:
        Origin to the keys with their values; `changed` where a value is not the schema's default.
    """
    found = {}
    for key, part in keys(schema).items():
        section, _, name = key.partition(".")
        if name and section != "cohorts":
            value = config[section][name]
            origin = part["origin"] if value == part["default"] else "changed"
            found.setdefault(origin, {})[key] = one_line(value)
    return found


def one_line(value: Any) -> str:
    """Write a value as YAML on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, width=float("inf"), sort_keys=False)
    return text.strip().removesuffix("...").strip()


def _ascending(_, wanted: bool, values: Any, __) -> Iterator[jsonschema.ValidationError]:
    """Keyword of our schemas: the numbers of a list ascend, as those of a range; some may be equal.

    Beside `uniqueItems` none may.
    """
    listed = values if isinstance(values, list) else []
    numbers = [value for value in listed if isinstance(value, int | float)]
    if wanted and numbers != sorted(numbers):
        yield jsonschema.ValidationError(f"{values} must ascend")


def _pattern(_, wanted: str, value: Any, __) -> Iterator[jsonschema.ValidationError]:
    """Keyword `pattern`, for the whole text: `$` alone lets a line break pass at the end."""
    if isinstance(value, str) and not re.fullmatch(wanted, value):
        yield jsonschema.ValidationError(f"{value!r} does not fit the pattern {wanted}")


Validator = jsonschema.validators.extend(
    jsonschema.Draft202012Validator, {"ascending": _ascending, "pattern": _pattern}
)


def _control_characters(value: Any, where: str = "") -> Iterator[str]:
    """List the texts of a configuration that hold some, keys included."""
    if isinstance(value, str) and messages.CONTROL.search(value):
        yield f"{where}: {value!r} {messages.HOLDS_CONTROL}"
    items = value.items() if isinstance(value, Mapping) else ()
    items = enumerate(value) if isinstance(value, list) else items
    for key, item in items:
        yield from _control_characters(item, f"{where}.{key}".removeprefix("."))


def problems(value: Any, schema: Mapping) -> list[str]:
    """List what in a value breaks its schema, one sentence each, with the nearest known key.

    Keyword `formerly` of our schemas, at the top, says what became of old keys and values; of a key
    that is still one, what became of values of another type.
    """
    errors, formerly = Validator(schema).iter_errors(value), schema.get("formerly", {})
    return sorted({line for error in errors for line in _sentences(error, formerly)})


def _sentences(error: jsonschema.ValidationError, formerly: Mapping) -> Iterator[str]:
    where = ".".join(str(key) for key in error.absolute_path)
    if (old := f"{where}: {error.instance}") in formerly:
        yield f"{old} {formerly[old]}"
    elif error.validator == "type" and where in formerly:
        yield f"{where}: {formerly[where]}"
    elif error.validator == "additionalProperties":
        known = list(error.schema.get("properties", {}))
        for key in error.instance.keys() - set(known):
            path = f"{where}.{key}" if where else key
            hint = _hint(str(key), known) or f"; known are: {', '.join(known)}"
            yield f"{path}: {formerly.get(path) or f'unknown key{hint}'}"
    elif error.validator == "required":
        for key in set(error.validator_value) - set(error.instance):
            yield f"{where or 'the top level'}: {key!r} is missing"
    elif error.validator == "enum":
        known = [str(option) for option in error.validator_value]
        hint = _hint(str(error.instance), known)
        yield f"{where}: must be one of {', '.join(known)}, got {error.instance!r}{hint}"
    elif error.validator == "type":
        yield f"{where}: must be {_article(error.validator_value)}, got {error.instance!r}"
    elif error.validator == "pattern":
        yield f"{where}: {error.instance!r} does not fit the pattern {error.validator_value}"
    else:
        yield f"{where}: {error.message}"


def _hint(word: str, known: list[str]) -> str:
    close = get_close_matches(word, known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""


def _article(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"
