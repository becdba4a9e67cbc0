"""Whether the images of a series are of one scan, and whole."""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import groupby, pairwise
from pathlib import Path

from hepatoclr.base.errors import BadCase
from hepatoclr.imaging import geometry
from hepatoclr.imaging.dicom import headers
from hepatoclr.imaging.dicom.headers import Folder, Image, number


def check_one_scan(images: list[Image]) -> None:
    """Check that the images of a series, ascending, are of one scan and of one reconstruction.

    What comes back along the slice axis after something else is a second one that lies in it.
    """
    for keyword in headers.ONE_VALUE:
        held = _values(images, keyword)
        if 1 < len(set(held)) < len(held):
            raise BadCase(
                f"the images of the CT series are of {len(set(held))} different {keyword}: several "
                "scans in one series. Keep the images of one."
            )
    for keyword in headers.NEVER_BACK:
        runs = [value for value, _ in groupby(_values(images, keyword))]
        if len(runs) > len(set(runs)):
            raise _in_each_other(keyword)
    if _alternate([number(image.header, "InstanceNumber") for image in images]):
        raise _in_each_other("InstanceNumber")


def check_whole(images: list[Image], found: Folder) -> None:
    """Check that no image of the series was cut short, lacks its place or is of another shape.

    And that each says of its pixels what the others say.
    """
    uids = {image.series_uid for image in images}
    beside = _beside(uids | {""}, found)
    for kind, lacking in (
        (headers.NO_PIXELS, "their pixels"),
        (headers.UNPLACED, "their position, orientation or spacing"),
    ):
        if beside[kind]:
            raise BadCase(
                f"{beside[kind]} images of the CT series lack {lacking}. Export it again."
            )
    for keyword in headers.OF_PIXELS:
        held = sum(image.header.get(keyword) not in (None, "") for image in images)
        if 0 < held < len(images):
            raise BadCase(
                f"{len(images) - held} of {len(images)} images of the CT series lack {keyword}, "
                "which the others have. Export the series again."
            )
    own = sum(image.series_uid in uids for image in found.images)
    if uids != {""} and own > len(images):
        raise BadCase(
            "the images of the CT series differ in size, spacing or direction. "
            "Export the series again, one reconstruction alone."
        )


def signs_of_loss(images: list[Image], found: Folder) -> list[str]:
    """What stands where further images of a series may have stood.

    Args:
        images: The images that are used.
        found: Their folder.

    Returns:
        A few words each: files that cannot be read, named as those of the images and beside them;
        numbers that miss among the instance numbers; objects of the series that are no images.
    """
    places = {image.path.parent / _pattern(image.path) for image in images}
    unread = [path for path in found.unreadable if _candidates(path) & places]
    signs = [f"{len(unread)} files beside the images cannot be read"] if unread else []
    if missing := _missing({number(image.header, "InstanceNumber") for image in images}):
        signs.append(f"{missing} instance numbers are missing")
    others = _beside({image.series_uid for image in images} - {""}, found)
    del others[headers.LOCALIZER]
    return signs + [
        f"{count} x {kind} of the same series" for kind, count in sorted(others.items())
    ]


def _values(images: list[Image], keyword: str) -> list[float | str]:
    """The values of an element, of the images that have one; 120 and 120.0 are the same."""
    found = [image.header.get(keyword) for image in images]
    held = [value for value in found if value not in (None, "")]
    return [round(float(v), 2) if isinstance(v, int | float) else str(v) for v in held]


def _in_each_other(keyword: str) -> BadCase:
    return BadCase(
        f"along the slice axis the images of the CT series change back and forth in {keyword}: two "
        "acquisitions or reconstructions overlap in one series. Keep the images of one."
    )


def _alternate(values: Sequence[float | None]) -> bool:
    """Say whether numbers by turns belong to two to four ascending or descending sequences."""
    if None in values or len(set(values)) < len(values):
        return False
    for count in (2, 3, 4):
        turns = sorted((values[turn::count] for turn in range(count)), key=min)
        long = min(map(len, turns)) >= geometry.MIN_SLICES
        apart = all(max(low) < min(high) for low, high in pairwise(turns))
        if long and apart and all(turn in (sorted(turn), sorted(turn)[::-1]) for turn in turns):
            return True
    return False


def _beside(uids: set[str], found: Folder) -> Counter[str]:
    """Count what of some series is no image; the empty UID is what belongs to none."""
    return sum((found.beside.get(uid, Counter()) for uid in uids), Counter())


def _pattern(path: Path) -> str:
    """What is common to the names of a series: a suffix of letters, or what is no number."""
    name = path.name.lower()
    suffix = Path(name).suffix
    return suffix if suffix[1:].isalpha() else re.sub(r"[0-9a-f]+", "#", name)


def _candidates(path: Path) -> set[Path]:
    """Patterns of a file, and of it without what a copy cut off adds, such as `.part`."""
    if path.name.startswith("."):
        return set()
    return {path.parent / _pattern(one) for one in (path, path.with_suffix(""))}


def _missing(held: set[float | None]) -> int:
    """Count the numbers that miss in a sequence; none of one that has no order."""
    if None in held or len(held) < geometry.MIN_SLICES:
        return 0
    steps = Counter(later - earlier for earlier, later in pairwise(sorted(held)))
    (step, often), *_ = steps.most_common(1)
    return round((max(held) - min(held)) / step) + 1 - len(held) if 2 * often > len(held) else 0
