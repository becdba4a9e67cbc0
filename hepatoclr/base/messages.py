"""What is said to people. No result depends on it, so fingerprints of code pass over it."""

import re

# of ASCII and Latin-1, separators of lines, reversals of the direction, halves of characters
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

HOLDS_CONTROL = "holds a control character"
DECIMAL_COMMA = r"[+-]?\d+,\d+"
DECIMAL_POINT = "has a comma for its decimal point; write 0.5, not 0,5"
NO_NUMBER = {  # what is written for a number and is none, and why
    DECIMAL_COMMA: "write a decimal point, 0.5 and not 0,5",
    r"(?i)[+-]?\.?(nan|inf|infinity|\d+[eE]\d+)": "it must be finite",
    r"[+-]?\d*\.\d*([eE][+-]?\d+)?|[+-]?\d+[eE]-\d+": "it must be whole",
    r"[+-]?\d[\d_:]*|0[xXoObB]\w+": "write it in decimal digits, the first of them not 0",
}
LAST_COUNTS = "stands twice on the command line, and the last alone would count; give it once"
TAKEN_FOR = "is taken for {} by Snakemake; write numbers in digits alone, such text in config.yaml"
SPACE_MISSING = "a space must follow the colon, as in `epochs: 200`"
IS_FORMULA = "would be a formula in a spreadsheet; begin it with a letter or digit"
IS_SPREADSHEET_ERROR = "is what a spreadsheet writes for an error; correct its formula"
DISK_FULL = "the disk, or your share of it, is full. Make room, then run the same command again."
RIGHTS = "Give yourself the right to read and write there, then run the same command again."
TEMPORARY = "Temporary files lie there; the variable TMPDIR may name a folder with more room."
DENIED = f"permission denied. {RIGHTS}"
UNREADABLE = (
    "{}: cannot be read ({}); it may have been cut off or damaged. Remove it, then run the same "
    "command again to make it anew."
)
PATH_HINTS = {  # what stands in a path that is not there
    "$": "variables such as $HOME are not looked up; write ~ or the whole path",
    "\\": "folders are separated by /, not \\",
    "~": "there is no such user; ~/ is your home folder",
}
READ_ONLY = f"the disk is read-only. {RIGHTS}"
NO_TABLE = {  # what begins so, and is not a CSV whatever its name
    b"PK\x03\x04": "is an Excel workbook (or a zip), not a CSV",
    b"\xd0\xcf\x11\xe0": "is an old Excel workbook, not a CSV",
    b"\x1f\x8b": "is compressed by gzip, not a CSV",
    b"%PDF": "is a PDF, not a CSV",
    b"{\\rtf": "is rich text, not a CSV",
    b"<": "is a web page or XML, not a CSV",
}
NO_TEXT = "is no text in UTF-8, but UTF-16 without its mark, or no text at all"
OTHER_LETTERS = (
    "holds letters that are not UTF-8, as in Excel's plain CSV (Windows-1252 or another)"
)
SAVE_AS_CSV = "Save it as 'CSV UTF-8'"


def listing(opening: str, lines: list[str]) -> str:
    """Say how many things are wrong, then each on its line."""
    count = "one problem" if len(lines) == 1 else f"{len(lines)} problems"
    return "\n".join([f"{opening} {count}:", *(f"  - {line}" for line in lines)])


def escape_control_characters(text: str) -> str:
    """Give text without what commands a terminal; line breaks stay."""
    return CONTROL.sub(lambda found: found[0] if found[0] == "\n" else _escaped(found[0]), text)


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode()


def path_hint(path: str) -> str:
    """Say what may be wrong with a path that leads nowhere; nothing where it is not to be seen."""
    return next((hint for sign, hint in PATH_HINTS.items() if sign in path), "")
