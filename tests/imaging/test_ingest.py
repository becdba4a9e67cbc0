"""Ingestion: which reader takes what, and zip archives."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from example_ct import check, random_hu, refusal, write_nifti, write_series

from hepatoclr.imaging import formats, ingest

ROOT = Path(__file__).resolve().parents[2]


def test_missing_and_empty_paths_are_refused(tmp_path):
    assert "no such file or folder" in refusal(tmp_path / "nowhere")
    assert "but no file at all" in refusal(tmp_path)
    one = write_series(tmp_path / "a", random_hu()) / "000.dcm"
    assert "Give the folder of the CT series" in refusal(one)


def test_a_case_imports_no_more_than_it_needs(tmp_path):
    code = (
        "import sys; from hepatoclr.imaging import ingest, slices, tensors\n"
        "ingest.read_ct(sys.argv[1]); print(*sorted({*sys.argv[2:]} & {*sys.modules}))"
    )
    path, dicom = write_nifti(tmp_path / "ct.nii.gz"), write_series(tmp_path / "a", random_hu())
    heavy = ["SimpleITK", "pydicom", "scipy", "torch", "rich", "pandas"]
    for ct, wanted in ((path, ""), (dicom, "pydicom")):
        command = [sys.executable, "-c", code, ct, *heavy, "gdcm", "requests", "highdicom"]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
        assert done.stdout.strip() == wanted


def test_the_digest_tells_images_apart_and_nothing_else(tmp_path):
    series = ingest.read_ct(write_series(tmp_path / "a", random_hu(), PatientID="somebody"))
    file = ingest.read_ct(write_nifti(tmp_path / "ct.nii.gz"))
    assert (series.array == file.array).all()
    assert series.facts["pixel_sha256"] == file.facts["pixel_sha256"]
    assert len(file.facts["pixel_sha256"]) == 16
    other = file.array.copy()
    other[0, 0, 0] += 1
    assert ingest.pixel_sha256(other) != ingest.pixel_sha256(file.array)
    assert ingest.pixel_sha256(other.reshape(1, -1, 1)) != ingest.pixel_sha256(other)


def packed(folder: Path, archive: Path, name: str = "series/{}.dcm") -> Path:
    """Zip a folder's files."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as made:
        for number, path in enumerate(sorted(folder.rglob("*.dcm"))):
            made.writestr(zipfile.ZipInfo(name.format(number)), path.read_bytes())
    return archive


def test_zip_gives_what_the_folder_gives(tmp_path, monkeypatch):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    folder = write_series(tmp_path / "a", random_hu())
    ct = ingest.read_ct(packed(folder, tmp_path / "a.zip", "Sentinel/{}é" + "x" * 200))
    check(ct, random_hu())
    assert ct.facts == {**ingest.read_ct(folder).facts, "format": "zip"}
    assert not list(scratch.iterdir())


@pytest.mark.parametrize("name", ["../{}.dcm", "/tmp/{}.dcm", "a/../../{}", "..\\{}"])
def test_zip_entries_that_lead_outside_are_refused(tmp_path, name):
    archive = packed(write_series(tmp_path / "a", random_hu()), tmp_path / "a.zip", name)
    shutil.rmtree(tmp_path / "a")
    assert "leads outside" in refusal(archive)
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_broken_zips_are_refused(tmp_path, monkeypatch):
    archive = packed(write_series(tmp_path / "a", random_hu()), tmp_path / "a.zip")
    content = archive.read_bytes()
    (tmp_path / "cut.zip").write_bytes(content[: len(content) // 2])
    assert "zip archive is broken" in refusal(tmp_path / "cut.zip")
    flipped = bytearray(content)
    flipped[700] ^= 0xFF
    (tmp_path / "crc.zip").write_bytes(flipped)
    assert "zip archive is broken" in refusal(tmp_path / "crc.zip")
    monkeypatch.setattr(formats, "ZIP_LIMIT_GB", 1e-6)
    assert "holds more than" in refusal(archive)
