"""Settings in layers: the schema's defaults, then a preset, then what the user chose."""

import math
import os
import re
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from hepatoclr.base import messages
from hepatoclr.base.errors import UserError

TRUTH = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
LARGEST = 1e300
NUMBER = re.compile(r"[+-]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


class KeyTwice(yaml.YAMLError):
    """A key stands twice in a mapping."""


class UniqueKeys(yaml.SafeLoader):
    """YAML in which no key stands twice; the last would count, in silence."""

    def compose_mapping_node(self, anchor: str) -> yaml.MappingNode:
        """Read a mapping.

        Raises:
            KeyTwice: A key does.
        """
        node, first = super().compose_mapping_node(anchor), {}
        for key in [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]:
            line = key.start_mark.line + 1
            if key.value in first:
                lines = f"lines {first[key.value]} and {line}"
                raise KeyTwice(f"the key {key.value!r} stands twice, in {lines}; keep one")
            first[key.value] = line
        return node


class AsWritten(UniqueKeys):
    """YAML whose plain values stay text: what is a number or true, the settings' schema says.

    YAML 1.1 takes `no` for false, `0012` for 10, `1:30` for 90, and drops the point of `12.0`.
    """

    yaml_implicit_resolvers = {
        letter: [(tag, form) for tag, form in pairs if tag.endswith((":null", ":merge"))]
        for letter, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


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
    name = str(chosen.get("preset", schema["properties"]["preset"]["default"]))
    config = typed(merge(preset(name, presets), chosen), schema)
    wrong = [*problems(config, schema), *_unusable(config)]
    if wrong:
        raise UserError(messages.listing("the configuration has", wrong))
    return with_defaults(config, schema)


def layers(arguments: Sequence[str], command: Any) -> dict:
    """Lay what the user chose in one place over what is chosen in another: `config.yaml` lowest.

    Args:
        arguments: Snakemake's command line, of which it takes the last `--config` alone.
        command: What Snakemake made of it: `configfiles`, which it reads by YAML's own rules, and
            which are read anew, and `config`.

    Raises:
        UserError: A file cannot be read; an option of which only the last counts, or a key in it,
            stands twice.
    """
    parser = ArgumentParser(add_help=False, allow_abbrev=False)
    for names in (("--config", "-C"), ("--configfile", "--configfiles")):
        parser.add_argument(*names, nargs="*", action="append", default=[])
    found = vars(parser.parse_known_args(arguments)[0])
    entries = [entry.split("=", 1) for group in found["config"] for entry in group if "=" in entry]
    options = [f"--{name}" for name, times in found.items() for _ in times]
    for what, count in Counter([*options, *(key for key, _ in entries)]).items():
        if count > 1:
            raise UserError(f"{what} {messages.LAST_COUNTS}")
    for key, text in entries:
        taken = command.config.get(key)
        if type(taken) is int and str(taken) != text:
            raise UserError(f"--config: {key}={text} {messages.TAKEN_FOR.format(taken)}")
        try:
            yaml.load(text, UniqueKeys)  # noqa: S506  it is safe
        except KeyTwice as error:
            raise UserError(f"--config: {error}") from None
        except (ValueError, yaml.YAMLError):
            continue  # Snakemake takes it for text
    chosen = read("config.yaml", AsWritten)
    for layer in (*(read(file, AsWritten) for file in command.configfiles), command.config):
        chosen = merge(chosen, layer)
    return chosen


def read(path: str | Path, loader: type[yaml.SafeLoader] = UniqueKeys) -> dict:
    """Read a file of settings as data; Snakemake's own reader would run expressions in it.

    Args:
        path: The file.
        loader: `AsWritten` where a schema says of what type each value is.

    Returns:
        The settings, unchecked; none where there is no file.

    Raises:
        UserError: It is no YAML, or something else than keys with values.
    """
    try:
        given = _parsed(Path(path).read_bytes(), path, loader)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    if not isinstance(given or {}, dict):
        raise UserError(f"{path}: must hold keys with values, as `preset: demo`")
    return given or {}


def _parsed(text: str | bytes, place: str | Path, loader: type[yaml.SafeLoader]) -> Any:
    try:
        return yaml.load(text, loader)  # noqa: S506  both are safe
    except KeyTwice as error:
        raise UserError(f"{place}: {error}") from None
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise UserError(f"{place}: cannot be read as YAML ({error})") from None


def unique(pairs: Sequence[tuple[str, Any]]) -> dict:
    """Make a mapping of JSON, see `object_pairs_hook`; of a key that stands twice, an error."""
    twice = [key for key, count in Counter(key for key, _ in pairs).items() if count > 1]
    if twice:
        raise ValueError(f"the key {twice[0]!r} stands twice")
    return dict(pairs)


def objects(**properties: Mapping) -> dict:
    """The schema of an object that has at least these keys."""
    return {"type": "object", "properties": properties, "required": list(properties)}


def preset(name: str, presets: Path) -> dict:
    """Read a preset by name; one that names another in `preset` is laid over that."""
    known = sorted(file.stem for file in presets.glob("*.yaml"))
    if name not in known:
        hint = _hint(str(name), known) or f"; known are: {', '.join(known)}"
        raise UserError(f"preset: there is no preset {name!r}{hint}")
    given = read(presets / f"{name}.yaml", AsWritten)
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
    """Turn what was written into the numbers and truth values that the schema wants, if it can be.

    Where the schema wants nothing, as of the arguments of Kornia, a number is what looks like one.
    A path (`format: path`) may begin in the home folder.
    """
    if isinstance(value, Mapping):
        known, others = schema.get("properties", {}), schema.get("additionalProperties") or {}
        return {key: typed(item, known.get(key, others)) for key, item in value.items()}
    if isinstance(value, list):
        return [typed(item, schema.get("items", {})) for item in value]
    if value is None or isinstance(value, bool):
        return value
    kind, number = schema.get("type"), _number(value)
    if "enum" in schema:
        return next((one for one in schema["enum"] if one in (value, number)), value)
    if kind == "string":
        text = str(value) if isinstance(value, int) else value
        is_path = schema.get("format") == "path" and isinstance(text, str)
        return os.path.expanduser(text) if is_path else text  # noqa: PTH111  never raises
    if kind == "boolean" or (not kind and str(value).lower() in ("true", "false")):
        return TRUTH.get(str(value).lower(), value)
    if not isinstance(number, float) or not number.is_integer():
        return number
    counts = kind == "integer" or number > schema.get("whole_above", math.inf)
    return int(number) if counts else number


def _number(value: Any) -> Any:
    """The finite number that a text is, in decimal digits; anything else as it is."""
    if not isinstance(value, str) or not NUMBER.fullmatch(value) or math.isinf(float(value)):
        return value
    return int(value) if value.lstrip("+-").isdecimal() else float(value)


def with_defaults(value: Any, schema: Mapping) -> Any:
    """Fill in the schema's defaults, at every depth; a part that is `partial` stays as given."""
    if not isinstance(value, Mapping) or schema.get("partial"):
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
        if not part.get("partial"):
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


def _whole_above(_, limit: float, value: Any, __) -> Iterator[jsonschema.ValidationError]:
    """Keyword of our schemas: a number above the limit is a count."""
    if isinstance(value, float) and value > limit:
        yield jsonschema.ValidationError(f"{value} must be a share up to {limit}, or a count")


Validator = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    {"ascending": _ascending, "pattern": _pattern, "whole_above": _whole_above},
)


def _unusable(value: Any, where: str = "") -> Iterator[str]:
    """List texts with control characters, keys included, and numbers that are not finite."""
    if isinstance(value, str) and messages.CONTROL.search(value):
        yield f"{where}: {value!r} {messages.HOLDS_CONTROL}"
    if isinstance(value, int | float) and not abs(value) < LARGEST:
        yield f"{where}: {value} is no number, or too large"
    items = value.items() if isinstance(value, Mapping) else ()
    items = enumerate(value) if isinstance(value, list) else items
    for key, item in items:
        yield from _unusable(item, f"{where}.{key}".removeprefix("."))


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
            if str(key).isdigit() and not error.instance[key]:  # of {a: 0,5}
                hint = f"; {messages.DECIMAL_POINT}"
            elif ":" in str(key):  # of {a:1}
                hint = f"; {messages.SPACE_MISSING}"
            yield f"{path}: {formerly.get(path) or f'unknown key{hint}'}"
    elif error.validator == "required":
        for key in set(error.validator_value) - set(error.instance):
            yield f"{where or 'the top level'}: {key!r} is missing"
    elif error.validator == "enum":
        known = [str(option) for option in error.validator_value]
        hint = _hint(str(error.instance), known)
        yield f"{where}: must be one of {', '.join(known)}, got {error.instance!r}{hint}"
    elif error.validator == "type":
        yield f"{where}: {_wrong_type(error.validator_value, error.instance)}"
    elif error.validator == "pattern":
        yield f"{where}: {error.instance!r} does not fit the pattern {error.validator_value}"
    else:
        yield f"{where}: {error.message}"


def _wrong_type(wanted: str, value: Any) -> str:
    """Say of what type a value must be, and why it is not, where that can be seen."""
    if value is None:
        return "is empty; give it a value, or remove the key"
    numeric = wanted in ("integer", "number") and isinstance(value, str | float)
    causes = messages.NO_NUMBER if numeric else {}
    cause = next((f"; {why}" for form, why in causes.items() if re.fullmatch(form, str(value))), "")
    if wanted == "object" and ":" in str(value):
        cause = f"; {messages.SPACE_MISSING}"
    if wanted == "string" and not isinstance(value, list | dict):
        cause = "; put it in quotation marks"
    return f"must be {_article(wanted)}, got {value!r}{cause}"


def _hint(word: str, known: list[str]) -> str:
    close = get_close_matches(word, known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""


def _article(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"
