"""Text from elsewhere, before it reaches a terminal, a table or a page."""

import re
import unicodedata

# of ASCII and Latin-1, separators of lines, reversals of the direction, halves of characters
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
# at the start of a cell, or where a spreadsheet that splits at semicolons begins one; a sign alone
# or before a number computes nothing
FORMULA = re.compile(r"(?:^|;)\s*(?:[=@]|[+-](?![\d.,+\s-]*(?:;|$)))")


def invalid_reason(text: str) -> str | None:
    """Say why a name, a label or the like is refused, or None where it is not."""
    if CONTROL.search(text):
        return "holds a control character"
    if FORMULA.search(unicodedata.normalize("NFKC", text)):
        return "would be a formula in a spreadsheet; begin it with a letter or digit"
    return None
