"""HTML pages out of the templates of this package."""

import base64
import hashlib

from jinja2 import Environment, PackageLoader, StrictUndefined


def render(template: str, **values) -> str:
    """Fill a template; everything in the values that is not marked as markup is escaped.

    Templates may use the filter `sha256`: the digest of a script by which the page's security
    policy lets it, and nothing else, run.
    """
    environment = Environment(
        loader=PackageLoader("hepatoclr"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["sha256"] = _sha256
    return environment.get_template(template).render(**values)


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
