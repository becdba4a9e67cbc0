"""Safe, reversible file names for any id a hospital uses.

The rule: lower-case letters a-z, digits and `-` stay; `+` switches between lower and upper
case, starting in lower case; every other byte of the UTF-8 text becomes `_` and two hex digits.
So `0012` stays `0012`, `Patient 7` becomes `+p+atient_207`, and no two ids share a name, not even
on a disk that ignores case. A case is named `patient`, or `patient~scan` where the manifest names
scans.
"""

import re

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
