"""A bundle: all that a prediction of a new CT needs, in one zip file, and what is known of it.

It is laid out as MONAI's bundles are, `configs/metadata.json`, `models/`, `docs/README.md`, so that
people find what they look for. MONAI cannot run it: the way from CT to network is this project's.

Weights are safetensors and regressions numbers in JSON: nothing in a bundle is code.
"""

import hashlib
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from hepatoclr.base import files
from hepatoclr.base.errors import UserError

FORMAT, FORMAT_VERSION = "hepatoclr-bundle", 1
METADATA, CARD = "configs/metadata.json", "docs/README.md"
SIDES = ("negative", "positive")  # classes 0 and 1
LARGEST = 2**31  # bytes of a file in it
TIME = (1980, 1, 1, 0, 0, 0)  # of all its files, so that equal bundles are equal files
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)
ASK = "Ask whoever gave it to you for it once more."


@dataclass(frozen=True)
class Bundle:
    """A bundle that was unpacked and found whole.

    Attributes:
        folder: Where it lies.
        facts: Its metadata.
        sha256: Digest of the zip file.
    """

    folder: Path
    facts: Mapping
    sha256: str

    def file(self, name: str) -> Path:
        """A file of it."""
        return self.folder / name


def write(facts: Mapping, contents: Mapping[str, bytes], card: str, path: str | Path) -> None:
    """Write a bundle; equal ones are equal files.

    Args:
        facts: Its metadata, but for `format`, `format_version` and `files`.
        contents: Name to content of its files.
        card: The model card, Markdown.
        path: The zip file to write.
    """
    contents = {**contents, CARD: card.encode()}
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()}
    head = {"format": FORMAT, "format_version": FORMAT_VERSION}
    metadata = json.dumps({**head, **facts, "files": digests}, indent=2, ensure_ascii=False)
    with files.atomic(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, data in {METADATA: metadata.encode() + b"\n", **contents}.items():
            info = zipfile.ZipInfo(name, TIME)
            info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(info, data)


def metadata(path: str | Path) -> dict:
    """Read what a bundle says of itself.

    Raises:
        UserError: As `unpacked`, but for damage to other files in it.
    """
    with _opened(path) as archive:
        return _metadata(path, archive)


@contextmanager
def _opened(path: str | Path) -> Iterator[zipfile.ZipFile]:
    """The zip file of a bundle."""
    if not Path(path).is_file():
        raise UserError(f"{path}: there is no such file. Give a bundle, as made by make bundle.")
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except DAMAGED as error:
        raise UserError(f"{path}: this is no bundle, or a damaged one ({error}). {ASK}") from None


@contextmanager
def unpacked(path: str | Path) -> Iterator[Bundle]:
    """Unpack a bundle into a folder that goes at the end, and check it.

    Raises:
        UserError: There is no such file; it is no bundle, one of a newer version, or damaged.
    """
    with TemporaryDirectory(prefix="hepatoclr-") as folder:
        yield read(path, Path(folder))


def read(path: str | Path, folder: Path) -> Bundle:
    """Unpack a bundle into a folder, and check it.

    Raises:
        UserError: As `unpacked`.
    """
    with _opened(path) as archive:
        facts = _metadata(path, archive)
        for name, digest in facts["files"].items():
            _unpack(path, archive, name, digest, folder)
    return Bundle(folder, facts, files.sha256(path))


def _metadata(path: str | Path, archive: zipfile.ZipFile) -> dict:
    """The metadata, once it is sure that this project can use the bundle."""
    foreign = f"{path}: this is no bundle of HepatoCLR"
    if METADATA not in archive.namelist():
        raise UserError(f"{foreign}: it has no {METADATA}. Give a file made by make bundle.")
    try:
        facts = json.loads(_content(archive, METADATA))
    except (ValueError, RecursionError, OSError) as error:
        raise UserError(f"{path}: {METADATA} cannot be read ({error}). {ASK}") from None
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        raise UserError(f"{foreign}: its {METADATA} has no format {FORMAT!r}.")
    if (version := facts.get("format_version")) != FORMAT_VERSION:
        raise UserError(
            f"{path}: the bundle is of format {version}, and this version of HepatoCLR reads "
            f"{FORMAT_VERSION}. Install the version that made it, or a newer one."
        )
    return facts


def _unpack(
    path: str | Path, archive: zipfile.ZipFile, name: str, digest: str, folder: Path
) -> None:
    """Write a file of a bundle, if it is what the metadata say."""
    place = PurePosixPath(name)
    if place.is_absolute() or ".." in place.parts or {"\\", ":"} & set(name):
        raise UserError(f"{path}: {name!r} would lie outside of the bundle. No run makes such.")
    if name not in archive.namelist():
        raise UserError(f"{path}: {name} is missing. {ASK}")
    data = _content(archive, name)
    if hashlib.sha256(data).hexdigest() != digest:
        raise UserError(f"{path}: {name} is not as it was written, its digest differs. {ASK}")
    target = folder / place
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)


def _content(archive: zipfile.ZipFile, name: str) -> bytes:
    if archive.getinfo(name).file_size > LARGEST:
        raise UserError(f"{archive.filename}: {name} is too large to be part of a bundle.")
    return archive.read(name)
