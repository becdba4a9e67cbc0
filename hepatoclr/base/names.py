"""Safe, reversible file names for any id a hospital uses.

The rule: lower-case letters a-z, digits and `-` stay; `+` switches between lower and upper
case, starting in lower case; every other byte of the UTF-8 text becomes `_` and two hex digits.
So `0012` stays `0012`, `Patient 7` becomes `+p+atient_207`, and no two ids share a name, not even
on a disk that ignores case. A case is named `patient`, or `patient~scan` where the manifest names
scans.
"""

import re

from hepatoclr.base import texts

SAFE = r"[a-z0-9+_-]+(?:~[a-z0-9+_-]+)?"
LONGEST = 100  # two of these, a separator and a suffix stay below the 255 bytes of a file name
DEVICES = re.compile(r"(CON|PRN|AUX|NUL|COM[0-9]|LPT[0-9])(\..*)?", re.IGNORECASE)


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


def invalid_reason(text: str) -> str | None:
    """Say why an id cannot be used, or None where it can."""
    if not text.strip():
        return "is empty"
    if refused := texts.invalid_reason(text):
        return refused
    if "/" in text or "\\" in text or text in (".", ".."):
        return "looks like a path"
    if DEVICES.fullmatch(text):
        return "is a reserved device name on some systems"
    if len(encode(text)) > LONGEST:
        return (
            f"is too long: its file name would take {len(encode(text))} bytes of at most {LONGEST}"
        )
    return None
