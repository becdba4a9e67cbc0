"""HTML pages out of the templates of this package."""

import base64
import hashlib
import re

from jinja2 import Environment, PackageLoader, StrictUndefined


def render(template: str, **values) -> str:
    """Fill a template; everything in the values that is not marked as markup is escaped.

    Templates may use two filters. `sha256` is the digest of a script by which the page's security
    policy lets it, and nothing else, run. `tied` keeps signs and their numbers on one line.
    """
    environment = Environment(
        loader=PackageLoader("hepatoclr.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"sha256": _sha256, "tied": _tied}
    return environment.get_template(template).render(**values)


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _tied(text: str) -> str:
    """Put no-break spaces before % and after signs that stand before a number."""
    return re.sub(r" (?=%)|(?<=[=<±]) (?=\d)|(?<=\bp) (?=[=<])", "\N{NO-BREAK SPACE}", text)
