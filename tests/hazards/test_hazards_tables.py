"""Hazards of tables that people write, made by code: read right, or refused with the cause."""

import codecs
import io
import zipfile
from pathlib import Path

import pandas as pd
import pytest
import yaml

from hepatoclr.base.errors import UserError
from hepatoclr.cohorts import manifest_checks, manifests
from hepatoclr.reporting import compare
from hepatoclr.stats import predictions

SCHEMA = yaml.safe_load((Path(__file__).parents[2] / "rules/cohort.schema.yaml").read_text())
GOOD = "patient_id,image,label\n1,ct/1.nii.gz,F0\n2,ct/2.nii.gz,F3\n"
LINES = GOOD.splitlines()


def zipped():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("xl/workbook.xml", "")
    return buffer.getvalue()


READ = {
    "semicolons": GOOD.replace(",", ";"),
    "tabs": GOOD.replace(",", "\t"),
    "bars": GOOD.replace(",", "|"),
    "sep": "sep=;\n" + GOOD.replace(",", ";"),
    "sep in quotes, CRLF": ('"sep=,"\n' + GOOD).replace("\n", "\r\n"),
    "spaces in the header": GOOD.replace("_id,image,", "_id, image ,\u00a0"),
    "a zero-width space": GOOD.replace("F0", "F0\u200b"),
    "upper case": GOOD.replace("patient_id", "Patient_ID"),
    "trailing empty columns": GOOD.replace("\n", ",,\n"),
    "trailing empty rows": GOOD + ",,\n , ,\n\n",
    "one more comma in a row": GOOD.replace("F3\n", "F3,\n"),
    "spaces before quotes": GOOD.replace("ct/1.nii.gz", ' "ct/1.nii.gz"'),
    "all in quotes": "\n".join(f'"{line}"' for line in LINES).replace(",", '","'),
    "a column that counts": "\n".join(
        f"{start},{line}" for start, line in zip(("", 0, 1), LINES, strict=True)
    ),
    "row names": "\n".join(
        f"{start},{line}" for start, line in zip(("", 1, 2), LINES, strict=True)
    ),
    "no last line break": GOOD.strip(),
    "old Mac": GOOD.replace("\n", "\r"),
    "UTF-8 with a mark": codecs.BOM_UTF8 + GOOD.encode(),
    "UTF-16 LE": GOOD.encode("utf-16"),
    "UTF-16 BE": codecs.BOM_UTF16_BE + GOOD.encode("utf-16-be"),
}
REFUSED = {
    "column twice": (GOOD.replace("image", "label"), "column label stands twice .* 2 and 3"),
    "column twice, in other case": (
        GOOD.replace("image", " Label"), "column label stands twice in the header"),
    "header of two kinds": (GOOD.replace("_id,", "_id;"), "separated by ',' and ';'"),
    "values without a name": (
        GOOD.replace("\n", ",\n").replace("F3,", "F3,x"), "column 4 has no name .* row 3"),
    "header twice": (GOOD + GOOD, "row 4: is the header again"),
    "header alone": (LINES[0], "a header, but no row"),
    "empty": (b"", "the file is empty"),
    "only empty rows": ("\n,,\n", "the file is empty"),
    "each line in quotes": ("\n".join(f'"{line}"' for line in LINES), "stands in quotation marks"),
    "a quotation mark": (GOOD.replace("F0", '"F0'), "row 2: a quotation mark is opened and not"),
    "too many values": (GOOD.replace("F3", "F3,x"), "row 3: has more values than the header"),
    "Windows-1252": (GOOD.replace("F3", "é").encode("cp1252"), "line 3: .* not UTF-8, as in Excel"),
    "UTF-16 without a mark": (GOOD.encode("utf-16-le"), "UTF-16 without its mark"),
    "UTF-32": (GOOD.encode("utf-32"), "no text"),
    "a workbook": (zipped(), "is an Excel workbook .* Save it as 'CSV UTF-8'"),
    "an old workbook": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "is an old Excel workbook"),
    "a web page": ("<!DOCTYPE html>", "is a web page"),
    "another word": (GOOD.replace("label", "lable"), "lable: unknown key; did you mean 'label'"),
    "blank lines count": (
        GOOD.replace("\n2,", "\n\n,,\n2,").replace("ct/2.nii.gz", ""), "row 5: image"),
    "a line break in quotes is no row": (
        GOOD.replace("ct/1.nii.gz", '"ct/\n1"').replace("ct/2.nii.gz", ""), "row 3: image"),
    "a liver label of a half": (
        "patient_id,image,liver_label\n1,x,1.5\n", "row 2: liver_label: '1.5' does not fit"),
    "a liver label beyond numbers": (
        f"patient_id,image,liver_label\n1,x,{10**40}\n", "row 2: liver_label"),
}  # fmt: skip


def written(folder, content):
    path = folder / "table.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("content", READ.values(), ids=READ)
def test_a_manifest_is_read(content, tmp_path):
    path = written(tmp_path, content)
    rows = manifest_checks.read(path, SCHEMA)
    assert rows == manifests.read(path)
    found = [(row.number, row.patient_id, Path(row.image).name, row.label) for row in rows]
    assert found == [(2, "1", "1.nii.gz", "F0"), (3, "2", "2.nii.gz", "F3")]


@pytest.mark.parametrize(("content", "said"), REFUSED.values(), ids=REFUSED)
def test_a_manifest_is_refused_with_the_cause(content, said, tmp_path):
    path = written(tmp_path, content)
    with pytest.raises(UserError, match=said) as refused:
        manifest_checks.read(path, SCHEMA)
    assert str(path) in str(refused.value)


def test_rows_count_as_a_spreadsheet_shows_them(tmp_path):
    text = "patient_id,image,label\n1,a,F0\n\n\n2,b,F3\n3,c,F0\n4,d,F9\n"
    assert [row.number for row in manifests.read(written(tmp_path, text))] == [2, 5, 6, 7]


def test_the_home_folder_and_whole_liver_labels(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    text = "patient_id,image,liver_mask,liver_label\n1,~/ct.nii.gz,~/liver.nii.gz,5.0\n"
    (row,) = manifest_checks.read(written(tmp_path, text), SCHEMA)
    home = tmp_path / "home"
    assert (row.image, row.liver_mask) == (f"{home}/ct.nii.gz", f"{home}/liver.nii.gz")
    assert row.liver_label == "5"


# --- predictions made elsewhere ---

MODEL = "encoder,patient_id,label,probability\nours,0012,1,0.5\nours,2,0,0.25\n"


@pytest.mark.parametrize(
    "content",
    [
        MODEL,
        MODEL.replace(",", ";").encode("utf-16"),
        MODEL.replace("encoder", "Encoder").replace("\n", " ,,\n"),
        "\n".join(f"{n},{line}" for n, line in zip(("", 0, 1), MODEL.splitlines(), strict=True)),
    ],
)
def test_predictions_are_read(content, tmp_path):
    path = written(tmp_path, content)
    found = predictions.combined({"p": compare._text(path)})
    assert found["patient_id"].tolist() == ["0012", "2"]
    assert found["probability"].tolist() == [0.5, 0.25]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (MODEL.replace("encoder", "label"), "column label stands twice in the header"),
        (
            MODEL.replace(",", ";").replace(".5", ",5"),
            "line 2: probability has a comma .* 0.5, not",
        ),
        (
            MODEL.replace("0.25", "x").replace("\nours,2", "\n\n\nours,2"),
            "line 5: probability must",
        ),
        (MODEL.replace("0.25", "1e999"), "probability inf is outside"),
        (MODEL.replace("ty\n", "ty,C\n").replace("0.25", "0.25,inf"), "line 3: C must be finite"),
        (pd.Series(["x"]).to_csv(), "column 2 has no name|lacks the columns"),
        (zipped(), "is an Excel workbook"),
    ],
)
def test_predictions_are_refused_with_the_cause(content, said, tmp_path):
    with pytest.raises(UserError, match=said):
        compare.run([written(tmp_path, content)], tmp_path / "out")
