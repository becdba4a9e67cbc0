"""A cohort's table in small, as text: one case of each kind that a quality control page meets."""

from PIL import Image

from hepatoclr.base import files
from hepatoclr.quality import qc_page

EVIL = """<script>alert(1)</script> "quoted" & 'so'"""
DEFAULTS = {
    **dict.fromkeys(("scan_id", "flags", "remarks", "step", "reason", "site", "phase"), ""),
    **{"role": "evaluation", "label": "F1", "target": "0", "included": "True"},
    **{"slices": "40", "liver_ml": "1500.4", "liver_hu": "100.0"},
}
LOST = {"included": "False"}
UNREAD = {**LOST, "step": "ingest", "slices": "0", "liver_ml": "", "liver_hu": ""}
CASES = {
    "used-2": {"liver_ml": "900.6", "liver_hu": "-5.2", "slices": "9"},
    "unread": {**UNREAD, "reason": "slices are missing"},
    "label": {**LOST, "step": "label", "reason": "label odd is excluded", "label": "odd"},
    "flagged": {
        "flags": "components; thickness",
        "remarks": "in pieces; thickness differs",
        "liver_hu": "-20.0",
    },
    "used-10": {"patient_id": EVIL, "label": EVIL, "liver_ml": "2000.0"},
    "cut": {**LOST, "step": "truncated", "reason": "it may be cut off", "flags": "truncated"},
}
ORDER = ["unread", "cut", "flagged", "used-2", "used-10", "label"]


def rows():
    """The table, in the order of the manifest."""
    return [
        {"case": case, "patient_id": case, **DEFAULTS, **changes} for case, changes in CASES.items()
    ]


def site(folder, given=None):
    """A page with its pictures, in a folder; returns the page."""
    given = given or rows()
    (folder / "histo").mkdir(parents=True)
    for row in given[:10]:
        Image.new("P", (1200, 764)).save(folder / "histo" / f"{row['case']}.png")
    files.write_text(
        qc_page.render_page("study", "histo", given, synthetic=False), folder / "histo.html"
    )
    return folder / "histo.html"
