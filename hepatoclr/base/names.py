"""Safe, reversible file names for any id a hospital uses.

The rule: lower-case letters a-z, digits and `-` stay; `+` switches between lower and upper
case, starting in lower case; every other byte of the UTF-8 text becomes `_` and two hex digits.
So `0012` stays `0012`, `Patient 7` becomes `+p+atient_207`, and no two ids share a name, not even
on a disk that ignores case. A case is named `patient`, or `patient~scan` where the manifest names
scans.
"""

import re
import unicodedata
from decimal import Decimal
from itertools import groupby

NUMBER = re.compile(r"\d+(?:[.,]\d*)?(?:e[+-]?\d{1,2})?", re.ASCII)
SAFE = r"[a-z0-9+_-]+(?:~[a-z0-9+_-]+)?"


def encode(text: str) -> str:
    """Turn an id into a file name; `decode` turns it back."""
    name, upper = "", False
    for byte in text.encode("utf-8"):
        letter = chr(byte)
        if re.fullmatch(r"[A-Za-z]", letter):
            if letter.isupper() != upper:
                name, upper = name + "+", not upper
            name += letter.lower()
        elif re.fullmatch(r"[0-9-]", letter):
            name += letter
        else:
            name += f"_{byte:02x}"
    return name


def decode(name: str) -> str:
    """Turn a file name made by `encode` back into the id."""
    raw, upper, position = bytearray(), False, 0
    while position < len(name):
        letter = name[position]
        if letter == "+":
            upper = not upper
        elif letter == "_":
            raw.append(int(name[position + 1 : position + 3], 16))
            position += 2
        else:
            raw += (letter.upper() if upper else letter).encode()
        position += 1
    return raw.decode("utf-8")


def case(patient_id: str, scan_id: str = "") -> str:
    """Name a case: the patient, and the scan where the manifest names one."""
    return encode(patient_id) + (f"~{encode(scan_id)}" if scan_id else "")


def normalised(patient_id: str) -> str:
    """Drop from an id what is written in several ways, by people and by spreadsheets.

    `P-007` and `p 7` are alike, as are `12`, `12.0` and full-width digits, `1234567` and
    `1.234567E+06`, composed and decomposed letters.
    """
    plain = unicodedata.normalize("NFKC", patient_id.casefold())
    plain = "".join(letter for letter in plain if unicodedata.category(letter) != "Cf").strip()
    if NUMBER.fullmatch(plain):
        number = Decimal(plain.replace(",", "."))
        return str(int(number)) if number == int(number) else str(number.normalize())
    runs = groupby(plain, lambda letter: unicodedata.category(letter)[0].replace("M", "L"))
    words = ["".join(run) for kind, run in runs if kind in "LN"]
    return " ".join(word.lstrip("0") or "0" if word.isdigit() else word for word in words)
