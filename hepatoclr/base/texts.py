"""Text from elsewhere, before it reaches a terminal, a table or a page."""

import re
import unicodedata

from hepatoclr.base import messages

# at the start of a cell, or where a spreadsheet that splits at semicolons begins one; a sign alone
# or before a number computes nothing
FORMULA = re.compile(r"(?:^|;)\s*(?:[=@]|[+-](?![\d.,+\s-]*(?:;|$)))")

SPREADSHEET_ERROR = re.compile(r"#(?:N/A|REF!|VALUE!|NAME\?|DIV/0!|NULL!|NUM!)")


def invalid_reason(text: str) -> str | None:
    """Say why a name, a label or the like is refused, or None where it is not."""
    if messages.CONTROL.search(text):
        return messages.HOLDS_CONTROL
    if FORMULA.search(unicodedata.normalize("NFKC", text)):
        return messages.IS_FORMULA
    if SPREADSHEET_ERROR.fullmatch(text):
        return messages.IS_SPREADSHEET_ERROR
    return None
