"""Damaged CT by the thousand: only our own errors, soon, in little memory, never a wrong grid.

    python tests/fuzz.py --inputs 20000

Each input is a small CT in one of several formats, with random damage to one of its files. It must
be refused with `BadCase` or be read, within 10 s and 2 GB. One read after damage in a single place
must lie where the sound CT lies, as far as the format says it twice: a series says it once an
image, a NIfTI file in sform, qform and pixdim. An Enhanced CT says it once; there only the errors,
time and memory are judged.
"""

import argparse
import multiprocessing
import resource
import shutil
import tempfile
import traceback
from collections import Counter
from functools import cache
from pathlib import Path

import imagecodecs
import numpy as np
from example_ct import affine, random_hu, write_nifti, write_series
from pydicom import config, dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

SECONDS, GIGABYTES = 10, 2
HU = random_hu((7, 20, 16))
NASTY = [
    "",
    "nan",
    "inf",
    "-1e308",
    "0",
    "-1",
    "1e-300",
    "99999999999",
    "1\\2",
    "x" * 70,
    "\\\\\\",
    "0.9\\0.9",
]
SERIES = ("explicit", "implicit", "deflated", "rle", "jpeg 2000", "jpeg-ls")
FILES = ("nifti", "nifti gz", "enhanced")


@cache
def sound(form: str) -> list[bytes]:
    """The files of a sound CT."""
    folder = Path(tempfile.mkdtemp())
    if form.startswith("nifti"):
        paths = [write_nifti(folder / f"ct.nii{form[6:] and '.gz'}", HU.transpose(2, 1, 0))]
    elif form == "enhanced":
        from test_hazards_dicom import enhanced

        paths = [folder / "0.dcm"]
        enhanced(folder, HU).save_as(paths[0], enforce_file_format=True)
    else:
        paths = sorted(write_series(folder, HU, STORED[form]).iterdir())
    content = [path.read_bytes() for path in paths]
    shutil.rmtree(folder)
    return content


def _as(uid, encode=None):
    def store(_, one):
        if encode:
            one.PixelData = encapsulate([encode(one.pixel_array)])
            one["PixelData"].VR = "OB"
        one.file_meta.TransferSyntaxUID = uid

    return store


STORED = {
    "explicit": lambda *_: None,
    "implicit": _as(ImplicitVRLittleEndian),
    "deflated": _as(DeflatedExplicitVRLittleEndian),
    "rle": lambda _, one: one.compress(RLELossless),
    "jpeg 2000": _as(
        JPEG2000Lossless, lambda a: imagecodecs.jpeg2k_encode(a, codecformat="J2K", reversible=True)
    ),
    "jpeg-ls": _as(JPEGLSLossless, imagecodecs.jpegls_encode),
}


def damage(content: bytes, places: int, random: np.random.Generator) -> bytes:
    """Change bytes in some places: flips, overwriting, insertion, removal, repetition, a cut."""
    data = bytearray(content)
    for _ in range(places):
        # headers are where the harm is done
        end = len(data) if random.random() < 0.3 else min(len(data), 1100)
        at, length = int(random.integers(max(end, 1))), int(random.integers(1, 9))
        match random.integers(8):
            case 0 | 1 | 2:
                data[at : at + 1] = (
                    bytes([data[at] ^ (1 << int(random.integers(8)))]) if data else b""
                )
            case 3:
                data[at : at + length] = random.bytes(length)
            case 4:
                data[at : at + length] = bytes([int(random.choice([0, 255, 127, 128]))]) * length
            case 5:
                data[at:at] = random.bytes(length)
            case 6:
                del data[at : at + length]
            case 7:
                data = data[:at] if random.random() < 0.3 else data[:at] + data[at // 2 :]
    return bytes(data)


def nonsense(content: bytes, folder: Path, random: np.random.Generator) -> bytes:
    """Set an element of a DICOM file to nonsense, or take it away."""
    one = dcmread(_write(folder / "one", content))
    plain = [element.tag for element in one if element.VR not in ("SQ", "OW", "OB")]
    element = one[random.choice(np.array(plain))]
    if random.random() < 0.2:
        del one[element.tag]
    try:
        with config.disable_value_validation():
            number = element.VR in ("US", "SS", "UL")
            element.value = int(random.integers(65536)) if number else str(random.choice(NASTY))
            one.save_as(folder / "two")
    except Exception:  # noqa: BLE001 - pydicom will not write every nonsense
        return damage(content, 1, random)
    return (folder / "two").read_bytes()


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def make(seed: int, folder: Path) -> tuple[Path, str, bool]:
    """Write damaged input number `seed`; returns its path, its form, and if its grid is known."""
    random = np.random.default_rng(seed)
    form = (*SERIES, *FILES)[seed % 9]
    files = list(sound(form))
    victim, places = int(random.integers(len(files))), int(random.choice([1, 1, 2, 4, 8]))
    if form not in ("nifti", "nifti gz") and random.random() < 0.4:
        files[victim], places = nonsense(files[victim], folder, random), 1
    else:
        files[victim] = damage(files[victim], places, random)
    if form.startswith("nifti"):
        return _write(folder / f"ct.nii{form[6:] and '.gz'}", files[0]), form, places == 1
    series = folder / "series"
    series.mkdir()
    for number, content in enumerate(files):
        _write(series / f"{number}.dcm", content)
    return series, form, places == 1 and form != "enhanced"


def judge(seed: int) -> str:
    """Read an input; returns "refused", "read", or what is wrong."""
    from hepatoclr.base.errors import BadCase
    from hepatoclr.imaging import ingest

    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    try:
        path, form, known = make(seed, folder)
        ct = ingest.read_ct(path)
        return wrong_grid(ct, form) if known else "read"
    except BadCase:
        return "refused"
    except Exception:  # noqa: BLE001 - this is what the run looks for
        return "error: " + traceback.format_exc(limit=-3)
    finally:
        shutil.rmtree(folder)


def wrong_grid(ct, form: str) -> str:
    """Compare a volume's grid with the sound one; it may lack slices only where it says so."""
    if "unplaced" in ct.facts["flags"]:
        return "read"
    offset = np.linalg.inv(affine()) @ ct.affine
    lost = len(HU) - len(ct.array)
    sideways = np.abs(offset[:3, :3] - np.eye(3)).max() * 20, np.abs(offset[:2, 3]).max()
    if max(sideways) > 0.2 or abs(offset[2, 3] - round(offset[2, 3])) > 0.1:
        return f"wrong grid ({form}): {offset.round(3).tolist()}"
    if not 0 <= round(offset[2, 3]) <= max(lost, 0) or ct.array.shape[1:] != HU.shape[1:]:
        return f"wrong extent ({form}): {ct.array.shape} {offset.round(3).tolist()}"
    told = ct.facts.get("ignored") or ct.facts["flags"]
    return f"slices lost silently ({form}): {lost}" if lost and not told else "read"


def _work(pipe) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    while (seed := pipe.recv()) is not None:
        found = judge(seed)
        pipe.send((found, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6))


def run(seeds: range) -> tuple[Counter, list[str]]:
    """Judge many inputs in a process that is watched; returns outcomes, and what is wrong."""
    context = multiprocessing.get_context("spawn")
    outcomes, wrong, worker, pipe = Counter(), [], None, None
    for seed in seeds:
        if worker is None:
            pipe, theirs = context.Pipe()
            worker = context.Process(target=_work, args=(theirs,), daemon=True)
            worker.start()
            theirs.close()
            pipe.send(0)  # the first input waits for imports
            pipe.recv()
        pipe.send(seed)
        try:
            found, peak = pipe.recv() if pipe.poll(SECONDS) else ("hang", 0)
        except EOFError:
            found, peak = "the process died", 0
        if peak > GIGABYTES:
            found = f"{peak:.1f} GB"
        outcomes[found.split(":")[0].split("(")[0]] += 1
        if found not in ("read", "refused"):
            wrong.append(f"seed {seed}: {found}")
            if found == "hang" or peak > GIGABYTES or "died" in found:
                worker.kill()
                worker = None
    if worker:
        pipe.send(None)
    return outcomes, wrong


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=20000)
    parser.add_argument("--first", type=int, default=0)
    given = parser.parse_args()
    outcomes, wrong = run(range(given.first, given.first + given.inputs))
    print("\n".join(wrong[:50]))
    print(dict(outcomes))
    raise SystemExit(bool(wrong))
