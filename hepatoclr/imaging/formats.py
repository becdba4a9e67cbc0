"""What files are, by their content: names on shared drives and in archives say little."""

import errno
import re
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from isal import isal_zlib

from hepatoclr.base import files
from hepatoclr.base.errors import BadCase

NIFTI, DICOM, ZIP = "NIfTI", "DICOM", "a zip archive"
PAIR = "half of a pair (.hdr, .img)"
GZIP = b"\x1f\x8b"
START = 4096  # bytes that are looked at
ZIP_LIMIT_GB = 8
ENCRYPTED = 0x1
UNUSUAL = re.compile(r"[^A-Za-z0-9._-]")  # of names inside archives
LONGEST_NAME = 100
BROKEN_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError)
SIGNATURES = {  # format: where its mark stands, and which it may be
    NIFTI: [(344, b"n+1\0"), (4, b"n+2\0")],
    DICOM: [(128, b"DICM"), (0, b"\x08\0\0\0"), (0, b"\x08\0\5\0"), (0, b"\x08\0\x08\0")]
    + [(0, b"\x08\0\x16\0"), (0, b"\x02\0\0\0"), (0, b"\x02\0\x10\0"), (0, b"\0\x08\0")],
    ZIP: [(0, b"PK\3\4"), (0, b"PK\5\6")],
    PAIR: [(344, b"ni1\0"), (4, b"ni2\0")],
    "NRRD": [(0, b"NRRD")],
    "MetaImage (.mha, .mhd)": [(0, b"objecttype"), (0, b"ndims")],
    "HDF5": [(0, b"\x89HDF")],
    "a NumPy array": [(0, b"\x93NUMPY")],
    "MATLAB": [(0, b"MATLAB")],
    "a mesh": [(0, b"# vtk"), (0, b"solid ")],
    "a picture": [
        (0, b"\x89PNG"),
        (0, b"\xff\xd8\xff"),
        (0, b"II*\0"),
        (0, b"MM\0*"),
        (0, b"GIF8"),
    ],
    "a PDF": [(0, b"%PDF")],
    "a tar, 7z, rar, xz, bzip2 or zstd archive": [(257, b"ustar"), (0, b"7z\xbc\xaf"), (0, b"Rar!")]
    + [(0, b"\xfd7zXZ"), (0, b"BZh"), (0, b"\x28\xb5\x2f\xfd")],
    "compressed twice by gzip": [(0, GZIP)],
    "a shortcut or placeholder": [(0, b"L\0\0\0\1\x14\2\0"), (0, b"book\0\0"), (0, b"bplist00")],
    "a web page": [(0, b"<!doctype"), (0, b"<html"), (0, b"<?xml")],
    "JSON": [(0, b"{")],
    "a git-lfs pointer": [(0, b"version https://git-lfs")],
    "a git-annex pointer": [(0, b"/annex/objects"), (0, b"../.git/annex")],
}
EMPTY, ZEROS, BROKEN = "empty", "full of zeros", "broken gzip"
AGAIN = "Download or copy it again."
ADVICE = {
    **dict.fromkeys(("a web page", "JSON", EMPTY, ZEROS, BROKEN), AGAIN),
    "a git-lfs pointer": "Fetch the file that it stands for (git lfs pull).",
    "a git-annex pointer": "Fetch the file that it stands for (git annex get).",
    "a shortcut or placeholder": "Name or fetch the file that it stands for.",
    "compressed twice by gzip": "Unpack it once.",
    "a tar, 7z, rar, xz, bzip2 or zstd archive": "Unpack it, or give a zip.",
    ZIP: "Unpack it.",
}


def is_damage(error: Exception) -> bool:
    """Say whether an error of reading tells of damaged bytes, not of a disk that fails."""
    return not isinstance(error, OSError) or error.errno in (None, errno.EINVAL)


def kind(path: Path) -> str:
    """Name what a file is, compressed by gzip or not; nothing where that is not known."""
    if not path.is_file():
        return ""
    with open(path, "rb") as file:
        head = file.read(START)
    if head.startswith(GZIP):
        try:
            head = isal_zlib.decompressobj(wbits=31).decompress(head, START)
        except isal_zlib.error:
            head = b""
        if not head:
            return BROKEN
    if not head.strip(b"\0"):
        return ZEROS if head else EMPTY
    text = head.lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    for name, marks in SIGNATURES.items():
        for place, mark in marks:
            if head.startswith(mark, place) or (not place and text.startswith(mark)):
                return name
    halves = (".hdr", ".img", ".hdr.gz", ".img.gz")  # of Analyze, without a mark
    return PAIR if path.name.lower().endswith(halves) else ""


def refusal(found: str) -> BadCase:
    """Say what a file is that is not read."""
    return BadCase(f"the file is {found}. {ADVICE.get(found, 'Convert it to NIfTI (.nii.gz).')}")


def nifti_in(folder: Path) -> Path | None:
    """The NIfTI file of a folder without DICOM; None where DICOM is there, or nothing known.

    Raises:
        BadCase: There are several, or none but files of another known format.
    """
    found, others = [], Counter()
    for path in files.below(folder):
        if path.name.startswith("._"):  # what macOS leaves beside a file
            continue
        what = kind(path)
        if what == DICOM:
            return None
        if what == NIFTI:
            found.append(path)
        elif what:
            others[what] += 1
    if len(found) > 1:
        raise BadCase(
            f"{len(found)} NIfTI files lie there, and no DICOM. Give the one that is meant."
        )
    if others and not found:
        (name, count), *_ = others.most_common()
        advice = ADVICE.get(name, "Convert it to NIfTI (.nii.gz).")
        raise BadCase(f"there is no DICOM and no NIfTI file, but {count} x {name}. {advice}")
    return found[0] if found else None


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """Give a folder with the files of a zip archive, for as long as it is needed.

    Raises:
        BadCase: The archive is broken, encrypted or too large, or leads outside.
        UserError: The disk of temporary files is full.
    """
    with tempfile.TemporaryDirectory(prefix="hepatoclr-") as folder:
        try:
            with zipfile.ZipFile(path) as archive, files.disk_full_as_user_error(Path(folder)):
                _extract(archive, Path(folder))
        except BROKEN_ZIP as error:
            if not is_damage(error):
                raise
            raise BadCase("the zip archive is broken. Export or pack it again.") from error
        yield Path(folder)


def _extract(archive: zipfile.ZipFile, folder: Path) -> None:
    """Write the files of an archive into a folder, with a number before what their names hold.

    Names inside archives may lead out of the folder, be too long, or differ in case only.
    """
    parents: dict[PurePosixPath, int] = {}
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    if sum(entry.file_size for entry in entries) > ZIP_LIMIT_GB * 1e9:
        raise BadCase(f"the zip archive holds more than {ZIP_LIMIT_GB} GB. Give one series.")
    for number, entry in enumerate(entries):
        parts = PurePosixPath(entry.filename.replace("\\", "/"))
        if parts.is_absolute() or ".." in parts.parts:
            raise BadCase("the zip archive has an entry that leads outside of it. Pack it again.")
        if entry.flag_bits & ENCRYPTED:
            raise BadCase("the zip archive is encrypted. Give it without a password.")
        if stat.S_ISLNK(entry.external_attr >> 16):
            continue
        parent = folder / f"{parents.setdefault(parts.parent, len(parents)):06d}"
        parent.mkdir(exist_ok=True)
        hidden = "." * parts.name.startswith(".")
        target = parent / f"{hidden}{number:06d}{UNUSUAL.sub('_', parts.name)[-LONGEST_NAME:]}"
        with archive.open(entry) as packed, open(target, "wb") as file:
            shutil.copyfileobj(packed, file)
