"""Which of a folder's axial CT images form the volume that is wanted."""

import re
from collections import Counter
from collections.abc import Mapping

import numpy as np
from pydicom import Dataset
from pydicom.uid import UID

from hepatoclr.base.errors import BadCase
from hepatoclr.imaging import geometry
from hepatoclr.imaging.dicom import whole
from hepatoclr.imaging.dicom.headers import Folder, Image, number

SHORT = "CT image of a short series"
OTHER = "CT image of another series"
MAKERS = (
    *("Canon", "GE", "Hitachi", "Neusoft", "Philips", "Siemens", "Toshiba", "UIH"),
    "HepatoCLR",  # the simulated scanner
)
MODELS = (
    *("LightSpeed", "BrightSpeed", "HiSpeed", "Discovery", "Optima", "Revolution"),
    *("SOMATOM", "NAEOTOM", "Biograph", "Sensation", "Emotion", "Definition", "Perspective"),
    *("Scope", "Spirit", "Force", "Drive", "Edge", "Confidence", "Flash", "Alpha"),
    *("Brilliance", "Ingenuity", "Incisive", "IQon", "iCT", "Gemini", "MX8000", "Spectral"),
    *("Aquilion", "Alexion", "Activion", "Asteion", "Scenaria", "Supria", "Eclos"),
    *("NeuViz", "uCT", "uMI", "ONE", "Prime", "Lightning", "Genesis", "Precision"),
)
KERNELS = re.compile(
    r"[A-Z]|(YA|YB|YC|YD|IMR\d|FC)\d{0,2}|[BDHIQTU][a-z]?\d\d[a-z]?"
    r"|(STANDARD|STD|SOFT|DETAIL|CHEST|CHST|LUNG|BONE|BONEPLUS|EDGE|ULTRA)[+]?"
)


def choose(found: Folder, preference: Mapping, series_uid: str = "") -> list[Image]:
    """Take the one CT volume of a folder that is wanted.

    Args:
        found: What the folder holds.
        preference: `slices`, the least number of images, and `thickness_mm`, the least and the
            largest SliceThickness, which every volume must keep to; `description`, regular
            expressions for SeriesDescription, of which the first that fits any volume decides
            among several.
        series_uid: The series that it must be; empty for any.

    Returns:
        Its images, ascending along their normal; several at one place where they were exported
        twice.

    Raises:
        BadCase: There is none, or several; the message lists them without their descriptions,
            which may hold names.
    """
    volumes = [group for group in _groups(found.images) if _is_volume(group)]
    if not volumes:
        seen = sorted((found.ignored + Counter({SHORT: len(found.images)})).items())
        raise BadCase(
            f"no axial CT series of at least {geometry.MIN_SLICES} images was found, but "
            f"{', '.join(f'{count} x {kind}' for kind, count in seen) or 'no file at all'}. "
            "Give the folder of the CT series."
        )
    wanted = [group for group in volumes if _keeps_to(group, preference, series_uid)]
    if not wanted:
        raise BadCase(
            f"no CT series is as wanted (series, series_uid); there are: {_listed(volumes)}. "
            "Change what is wanted, or give another folder."
        )
    wanted = _described(wanted, preference["description"])
    if any(not _same_places(group, wanted[0]) for group in wanted):
        raise _several(wanted)
    for group in wanted:
        whole.check_one_scan(_sorted(group))
    images = _sorted([image for group in wanted for image in group])
    whole.check_whole(images, found)
    return images


def _sorted(images: list[Image]) -> list[Image]:
    """Images ascending along their normal."""
    return sorted(images, key=lambda image: float(image.position @ images[0].normal))


def _is_volume(images: list[Image]) -> bool:
    """Say whether images lie at as many places as a volume has; those of bolus tracking do not."""
    heights = np.sort([image.position @ images[0].normal for image in images])
    return np.count_nonzero(np.diff(heights) > geometry.SAME_PLACE_MM) + 1 >= geometry.MIN_SLICES


def split_copies(images: list[Image]) -> tuple[list[Image], dict[int, list[Image]]]:
    """Separate the images of a volume from copies at the same places.

    Returns:
        One image for each place, ascending; further images by number of the place.
    """
    first, copies = [], {}
    for image in images:
        if first and np.linalg.norm(image.position - first[-1].position) < geometry.SAME_PLACE_MM:
            copies.setdefault(len(first) - 1, []).append(image)
        else:
            first.append(image)
    return first, copies


def ambiguous(images: list[Image], differing: list[float]) -> BadCase:
    """Say that images at the same places show different things.

    Args:
        images: All of them.
        differing: Where they differ, z in mm.
    """
    groups = _groups(images)
    if len(groups) > 1:
        return _several(groups)
    return BadCase(
        f"{len(differing)} images of the series lie where another lies that shows something else, "
        f"first at z = {differing[0]:.1f} mm, as of several phases or reconstructions. "
        "Keep one image per position."
    )


def count_unused(found: Folder, images: list[Image]) -> Counter[str]:
    """Count the CT images of a folder that do not belong to the volume."""
    used = {id(image) for image in images}
    return Counter(
        OTHER if _is_volume(group) else SHORT
        for group in _groups(found.images)
        for image in group
        if id(image) not in used
    )


def technique(image: Image) -> dict:
    """Facts of a header: numbers, and words of closed lists only, since text may hold names."""
    header = image.header
    maker = str(header.get("Manufacturer") or "").upper()
    words = re.findall(r"[A-Z0-9]+", str(header.get("ManufacturerModelName") or "").upper())
    kernel = header.get("ConvolutionKernel") or ""
    kernel = kernel if isinstance(kernel, str) else kernel[0]
    return {
        "manufacturer": next((name for name in MAKERS if maker.startswith(name.upper())), None),
        "model": " ".join(name for name in MODELS if name.upper() in words) or None,
        "kernel": kernel if KERNELS.fullmatch(kernel) else None,
        "kvp": number(header, "KVP"),
        "slice_thickness_mm": number(header, "SliceThickness"),
        "transfer_syntax": transfer_syntax(header),
    }


def transfer_syntax(header: Dataset) -> str:
    """Name how the pixels are stored."""
    uid = UID(str(header.file_meta.get("TransferSyntaxUID") or ""))
    return uid.name if uid and uid.name != uid else "unknown transfer syntax"


def _groups(images: list[Image]) -> list[list[Image]]:
    """Put images that can be of one volume together."""
    groups: list[list[Image]] = []
    for image in images:
        group = next((group for group in groups if image.fits(group[0])), None)
        if group is None:
            groups.append([image])
        else:
            group.append(image)
    return groups


def _keeps_to(group: list[Image], preference: Mapping, series_uid: str) -> bool:
    thickness = number(group[0].header, "SliceThickness")
    low, high = preference["thickness_mm"]
    return (
        len(group) >= preference["slices"]
        and (thickness is None or low <= thickness <= high)
        and series_uid in ("", group[0].series_uid)
    )


def _described(groups: list[list[Image]], expressions: list[str]) -> list[list[Image]]:
    """Take the volumes whose description fits the first expression that fits any."""
    for expression in expressions:
        fitting = [
            group
            for group in groups
            if re.search(expression, str(group[0].header.get("SeriesDescription") or ""), re.I)
        ]
        if fitting:
            return fitting
    return groups


def _same_places(one: list[Image], other: list[Image]) -> bool:
    """Say whether two volumes have their images at the same places, as exports of one have."""
    if len(one) != len(other) or not np.array_equal(one[0].size, other[0].size):
        return False
    ends = [np.array(sorted(image.position.tolist() for image in group)) for group in (one, other)]
    return np.allclose(*ends, atol=geometry.SAME_PLACE_MM) and one[0].lies_as(other[0])


def _several(groups: list[list[Image]]) -> BadCase:
    if len({group[0].series_uid for group in groups}) < len(groups):
        advice = "Some have one series UID and differ in size, spacing or direction: keep one"
    else:
        advice = (
            "Say which one by the cohort's series or by series_uid in the manifest, or keep one"
        )
    return BadCase(
        f"{len(groups)} CT series were found: {_listed(groups)}. {advice} in the folder."
    )


def _listed(groups: list[list[Image]]) -> str:
    return "; ".join(sorted(_describe(group) for group in groups))


def _describe(group: list[Image]) -> str:
    """Describe a series without its SeriesDescription, which may hold names."""
    heights = np.sort([image.position @ group[0].normal for image in group])
    facts = technique(group[0])
    return (
        f"{len(group)} images {np.median(np.diff(heights)):.2f} mm apart, "
        f"{facts['slice_thickness_mm']} mm thick, kernel {facts['kernel']}"
    )
