"""Hazards of DICOM folders, made by code: read right, or excluded with the reason."""

from functools import partial

import numpy as np
import pytest
from example_ct import ORIGIN, SPACING, affine, image, random_hu, write_series
from hazards import HU, hazard, write_smooth
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import EnhancedCTImageStorage, RLELossless

HAZARDS = []
hazard = partial(hazard, into=HAZARDS)
DEFAULTS = {"description": [], "thickness_mm": [0, 100], "slices": 5}


@pytest.mark.parametrize("case", HAZARDS)
def test_hazard(case, tmp_path):
    case.check(tmp_path)


# --- gantry tilt, oblique slices ---


def tilted(degrees):
    return (1, 0, 0), (0, np.cos(np.radians(degrees)), -np.sin(np.radians(degrees)))


@hazard(hu=None, flags=("tilt",))
def tilt_in_orientation(folder):
    write_smooth(folder, *tilted(18), (0, 0, 2.4), GantryDetectorTilt=18)


@hazard(hu=None, flags=("tilt",))
def tilt_in_orientation_tag_missing(folder):
    write_smooth(folder, *tilted(-12), (0, 0, 2.4))


@hazard(hu=None, flags=("tilt",))
def tilt_in_positions_alone(folder):
    write_smooth(folder, (1, 0, 0), (0, 1, 0), (0, 0.6, 2.5), GantryDetectorTilt=13.5)


@hazard(hu=None, flags=("tilt",))
def tilt_tag_of_the_wrong_sign(folder):
    write_smooth(folder, (1, 0, 0), (0, 1, 0), (0, -0.6, 2.5), GantryDetectorTilt=13.5)


@hazard(hu=None, flags=("oblique",))
def tilt_in_both_is_oblique(folder):
    row, column = tilted(15)
    write_smooth(folder, row, column, 2.5 * np.cross(row, column))


@hazard(hu=None, flags=("oblique",))
def oblique_about_two_axes(folder):
    row = np.array([0.95, 0.2, 0.1])
    row /= np.linalg.norm(row)
    column = np.cross([0.05, 0.15, 1.0], row)
    column /= np.linalg.norm(column)
    write_smooth(folder, row, column, 2.5 * np.cross(row, column))


@hazard(grid=affine((5, 0.9, 0.8)), flags=("thickness",))
def every_other_slice_missing(folder):
    def spread(number, one):
        one.ImagePositionPatient[2] += 2.5 * number

    write_series(folder, HU, spread)


@hazard(flags=("tilt_tag",))
def tilt_in_the_tag_alone(folder):
    write_series(folder, HU, GantryDetectorTilt=12)


@hazard(hu=None, flags=())
def turned_within_the_axial_plane(folder):
    write_smooth(folder, (0.9397, 0.3420, 0), (-0.3420, 0.9397, 0), (0, 0, 2.5))


@hazard("tilted by 63 degrees, more than any can be")
def tilt_beyond_any_gantry(folder):
    write_smooth(folder, (1, 0, 0), (0, 1, 0), (0, 5, 2.5))


# --- positions: gaps, several spacings, copies ---


def drop(folder, *numbers):
    for number in numbers:
        (folder / f"{number:03d}.dcm").unlink()


@hazard("slices missing between z = 322.2 and 327.2 mm")
def one_slice_missing(folder):
    drop(write_series(folder, HU), 5)


@hazard(hu=None, flags=("gap",), fill_slices=1)
def one_slice_missing_and_filled(folder):
    write_smooth(folder, (1, 0, 0), (0, 1, 0), (0, 0, 2.5))
    drop(folder, 6)


@hazard("slices missing between z = 322.2 and 329.8 mm", fill_slices=1)
def two_slices_missing_where_one_may(folder):
    drop(write_series(folder, HU), 5, 6)


@hazard("slices missing between z = 314.8 and 319.8 mm and between", fill_slices=2)
def two_gaps(folder):
    drop(write_series(folder, HU), 2, 5)


@hazard("the images lie 2.50 to 3.70 mm apart")
def two_spacings(folder):
    def spread(number, one):
        one.ImagePositionPatient[2] += 1.2 * max(0, number - 4)

    write_series(folder, HU, spread)


@hazard("shifted sideways by up to")
def table_moved_sideways(folder):
    def move(number, one):
        one.ImagePositionPatient[0] += 4.0 * (number > 4)

    write_series(folder, HU, move)


@hazard(flags=("copies",))
def every_image_twice(folder):
    write_series(folder, HU)
    write_series(folder, HU, prefix="again")


@hazard(flags=("copies",))
def exported_again_as_another_series(folder):
    write_series(folder, HU)
    write_series(folder, HU, prefix="again", SeriesInstanceUID="1.2.3.99")


@hazard(flags=("copies",))
def a_lossless_copy_beside_the_original(folder):
    write_series(folder, HU)
    write_series(folder, HU, lambda _, one: one.compress(RLELossless), prefix="rle")


@hazard("9 images of the series lie where another lies that shows something else")
def a_lossy_copy_beside_the_original(folder):
    write_series(folder, HU)
    write_series(folder, HU // 4 * 4, prefix="lossy", LossyImageCompression="01")


@hazard("2 CT series were found: 9 images 2.50 mm apart, 2.5 mm thick, kernel BONE; 9 images")
def two_kernels_at_the_same_places(folder):
    write_series(folder, HU)
    write_series(folder, -HU, prefix="b", SeriesInstanceUID="1.9", ConvolutionKernel="BONE")


@hazard("images of the series lie where another lies")
def two_phases_in_one_series(folder):
    write_series(folder, HU)
    write_series(folder, random_hu(seed=3), prefix="late")


# --- what belongs to one volume ---


def interleaved(folder, one=None, other=None, numbered=None):
    """Two scans in one series, 2.5 mm apart each, the second half a step higher."""

    def change(number, made):
        made.ImagePositionPatient[2] += -1.25 * number
        for keyword, value in ((one, other)[number % 2] or {}).items():
            setattr(made, keyword, value)
        if numbered:
            made.InstanceNumber = numbered(number)

    write_series(folder, random_hu((12, 20, 16)), change)


@hazard("change back and forth in AcquisitionNumber: two acquisitions or reconstructions overlap")
def two_acquisitions_in_each_other(folder):
    interleaved(folder, {"AcquisitionNumber": 1}, {"AcquisitionNumber": 2})


@hazard("change back and forth in AcquisitionTime")
def two_times_in_each_other(folder):
    interleaved(folder, {"AcquisitionTime": "101500"}, {"AcquisitionTime": "101542.5"})


@hazard("change back and forth in InstanceNumber")
def two_scans_in_each_other_by_their_numbers_alone(folder):
    interleaved(folder, numbered=lambda number: 1 + number // 2 + 6 * (number % 2))


@hazard("change back and forth in InstanceNumber")
def three_scans_in_each_other_counted_down(folder):
    def change(number, made):
        made.InstanceNumber = 100 - number // 3 - 20 * (number % 3)

    write_series(folder, random_hu((15, 20, 16)), change)


@hazard("change back and forth in KVP")
def two_tube_voltages_in_each_other(folder):
    interleaved(folder, {"KVP": 80}, {"KVP": 140})


@hazard("change back and forth in ConvolutionKernel")
def two_kernels_in_each_other(folder):
    interleaved(folder, {"ConvolutionKernel": "B30f"}, {"ConvolutionKernel": ["B60f", "3"]})


@hazard("change back and forth in ContrastBolusAgent")
def with_and_without_contrast_medium_in_each_other(folder):
    interleaved(folder, {"ContrastBolusAgent": "none"}, {"ContrastBolusAgent": "Sentinel 370"})


@hazard("are of 2 different PatientID: several scans in one series")
def two_patients_in_each_other(folder):
    interleaved(folder, {"PatientID": "Sentinel 1"}, {"PatientID": "Sentinel 2"})


@hazard("are of 2 different FrameOfReferenceUID")
def two_frames_of_reference_one_above_the_other(folder):
    def change(number, one):
        one.FrameOfReferenceUID = f"1.2.{number // 5}"

    write_series(folder, HU, change)


@hazard("the images lie 0.50 and 2.00 mm apart by turns, as of two scans that lie in each other")
def two_scans_in_each_other_by_their_places_alone(folder):
    def change(number, made):
        made.ImagePositionPatient[2] += -1.25 * number + (-0.75) * (number % 2)

    write_series(folder, random_hu((12, 20, 16)), change)


@hazard()
def acquisitions_one_after_the_other(folder):
    def change(number, one):
        one.AcquisitionNumber, one.AcquisitionTime = 1 + number // 4, f"1015{number:02d}"
        one.InstanceNumber = 9 - number

    write_series(folder, HU, change)


@hazard()
def every_image_with_uids_of_its_own(folder):
    def change(number, one):
        one.FrameOfReferenceUID = one.StudyInstanceUID = f"1.2.{number}"
        one.PatientID = "Sentinel" if number else ""

    write_series(folder, HU, change)


@hazard()
def orientation_jitters(folder):
    def change(number, one):  # the grid is that of the lowest image
        one.ImageOrientationPatient = [1, 0.0002 * (number % 2), 0, 0, 1, 0.0002 * (number % 2)]
        one.PixelSpacing = [0.9 + 0.0001 * (number % 3), 0.8]

    write_series(folder, HU, change)


@hazard()
def bolus_tracking_beside_the_volume(folder):
    def monitored(number, one):
        one.ImagePositionPatient[2] = ORIGIN[2]

    write_series(folder, HU)
    write_series(folder / "bolus", HU, monitored, SeriesInstanceUID="1.2.3.7", SliceThickness=10)


@hazard("Some have one series UID and differ in size, spacing or direction: keep one in the folder")
def two_fields_of_view_in_one_series(folder):
    write_series(folder, HU)
    write_series(folder, HU, prefix="wide", PixelSpacing=[1.1, 1.1])


# --- files where images should be ---


def spoil(folder, content, *numbers, name="{:03d}.dcm"):
    """Write something else over the last images of a series."""
    for number in numbers:
        (folder / f"{number:03d}.dcm").unlink(missing_ok=True)
        (folder / name.format(number)).write_bytes(content)


TALLER = random_hu((11, 20, 16))[:9]  # of which the two highest images are spoilt
FEWER = {"hu": TALLER, "flags": ("incomplete",)}


def taller(folder):
    return write_series(folder, random_hu((11, 20, 16)))


@hazard(**FEWER)
def empty_files_at_the_end(folder):
    spoil(taller(folder), b"", 9, 10)


@hazard(**FEWER)
def files_cut_before_the_preamble_ends(folder):
    spoil(taller(folder), bytes(100), 9, 10)


@hazard(**FEWER)
def web_pages_in_place_of_images(folder):
    spoil(taller(folder), b"<!DOCTYPE html><title>502 Bad Gateway</title>", 9, 10)


@hazard(**FEWER)
def errors_in_json_in_place_of_images(folder):
    spoil(taller(folder), b'{"error": "too many requests"}' * 9, 9, 10)


@hazard(**FEWER)
def downloads_that_did_not_end(folder):
    spoil(taller(folder), b"\0" * 4000, 9, 10, name="{:03d}.dcm.part")


@hazard(**FEWER)
def links_that_lead_nowhere_at_the_end(folder):
    taller(folder)
    for number in (9, 10):
        (folder / f"{number:03d}.dcm").unlink()
        (folder / f"{number:03d}.dcm").symlink_to(folder / "annex" / f"{number}")


@hazard(**FEWER)
def empty_files_named_without_suffix(folder):
    for path in sorted(taller(folder / "all").iterdir()):
        path.rename(folder / f"IM{int(path.stem) + 1:05d}")
    for name in ("IM00010", "IM00011"):
        (folder / name).write_bytes(b"")


@hazard(flags=("incomplete",))
def a_number_misses_among_the_instance_numbers(folder):
    def change(number, one):
        one.InstanceNumber = number + 1 + (number > 6)

    write_series(folder, HU, change)


@hazard(flags=("incomplete",))
def an_ignored_image_of_the_same_series(folder):
    write_series(folder, HU)
    write_series(folder, HU[:1], prefix="x", ImageType=["DERIVED", "SECONDARY", "AXIAL", "MIP"])


@hazard()
def among_notes_and_a_page_of_the_archive(folder):
    write_series(folder, HU, lambda number, one: setattr(one, "InstanceNumber", 2 * number + 2))
    (folder / "index.html").write_text("<html>Sentinel</html>")
    (folder / "1.json").write_text("{}")
    (folder / "LICENSE").write_text("Sentinel")
    (folder / "other").mkdir()
    (folder / "other" / "011.dcm").write_bytes(b"")


@hazard()
def links_to_folders(folder):
    write_series(folder / "a" / "b", HU)
    (folder / "ct").mkdir()
    (folder / "ct" / "series").symlink_to(folder / "a")
    (folder / "a" / "b" / "back").symlink_to(folder / "ct")
    (folder / "link").symlink_to(folder / "ct")
    return folder / "link"


# --- what some images have and others lack ---


def lacking(keyword):
    """A series of which two images lack an element."""

    def make(folder):
        def change(number, one):
            if number in (7, 8):
                delattr(one, keyword)

        padding = {"PixelPaddingValue": 0, "PixelPaddingRangeLimit": 10}
        write_series(folder, HU, change, **padding)

    make.__name__ = f"two_images_without_{keyword}"
    return make


for keyword in ("RescaleSlope", "RescaleIntercept", "PixelPaddingValue", "PixelPaddingRangeLimit"):
    hazard(f"2 of 9 images of the CT series lack {keyword}")(lacking(keyword))
for keyword in ("PixelSpacing", "ImageOrientationPatient", "ImagePositionPatient"):
    hazard("2 images of the CT series lack their position, orientation or spacing")(
        lacking(keyword)
    )


# --- other objects in the folder ---


@hazard()
def among_objects_that_are_no_ct(folder):
    write_series(folder, HU)
    for number, (uid, modality) in enumerate(
        {
            "1.2.840.10008.5.1.4.1.1.7": "OT",  # Secondary Capture
            "1.2.840.10008.5.1.4.1.1.66.4": "SEG",
            "1.2.840.10008.5.1.4.1.1.88.67": "SR",  # dose report
            "1.2.840.10008.5.1.4.1.1.11.1": "PR",
            "1.2.840.10008.5.1.4.1.1.481.3": "RTSTRUCT",
            "1.2.840.10008.5.1.4.1.1.104.1": "DOC",  # encapsulated PDF
        }.items()
    ):
        nested = folder / "more" / str(number)
        own = {"SeriesInstanceUID": f"1.2.9.{number}", "SOPClassUID": uid, "Modality": modality}
        write_series(nested, HU[:2], **own)


@hazard()
def among_localizers_and_dose_pictures(folder):
    write_series(folder, HU)
    scout = {"SeriesInstanceUID": "1.2.3.5", "ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}
    write_series(folder, HU[:7], prefix="scout", **scout)
    write_series(folder, HU[:6], prefix="dose", SeriesInstanceUID="1.6", ImagePositionPatient=None)


@hazard("9 x localizer")
def image_type_of_one_word(folder):
    write_series(folder, HU, ImageType="LOCALIZER")


@hazard("9 x map or projection computed from CT")
def maximum_intensity_projections(folder):
    write_series(folder, HU, ImageType=["DERIVED", "SECONDARY", "AXIAL", "MIP"])


@hazard()
def among_stray_and_hidden_files(folder):
    write_series(folder / "a" / "b", HU)
    index = image(HU[0].astype(np.uint16), ORIGIN, SOPClassUID="1.2.840.10008.1.3.10")
    del index.SeriesInstanceUID
    index.save_as(folder / "DICOMDIR", enforce_file_format=True)
    (folder / ".DS_Store").write_bytes(b"\0\1")
    (folder / "._000.dcm").write_bytes(b"\0\5\x16\7")
    (folder / "Thumbs.db").write_text("Sentinel")


@hazard()
def beside_an_object_without_modality(folder):
    write_series(folder, HU)
    write_series(folder, HU, prefix="x", Modality="", SeriesInstanceUID="1.7")


@hazard()
def beside_an_object_without_pixels(folder):
    def strip(_, one):
        del one.PixelData

    write_series(folder, HU)
    write_series(folder, HU[:1], strip, prefix="x", SeriesInstanceUID="1.7")


@hazard("1 images of the CT series lack their pixels")
def an_image_of_the_series_without_pixels(folder):
    def strip(number, one):
        if number == 8:
            del one.PixelData

    write_series(folder, HU, strip)


@hazard("9 x MR Image Storage")
def magnetic_resonance(folder):
    write_series(folder, HU, SOPClassUID="1.2.840.10008.5.1.4.1.1.4", Modality="MR")


@hazard("9 x CT image with text burned in")
def burned_in_annotation(folder):
    write_series(folder, HU, BurnedInAnnotation="YES")


# --- which of several series ---


def three_series(folder):
    thick = {"SeriesInstanceUID": "1.1", "SliceThickness": 5, "SeriesDescription": "Portal 5.0"}
    write_series(folder / "1", random_hu(seed=1), **thick)
    write_series(folder / "2", HU, SeriesInstanceUID="1.2", SeriesDescription="PORTAL VENOUS")
    late = {"SeriesInstanceUID": "1.3", "SeriesDescription": "Late"}
    write_series(folder / "3", random_hu(seed=2), **late)


@hazard("3 CT series were found")
def several_series(folder):
    three_series(folder)


@hazard(series={**DEFAULTS, "description": ["nothing", "portal.*ven", "late"]})
def series_by_description(folder):
    three_series(folder)


@hazard(series={**DEFAULTS, "description": ["portal"], "thickness_mm": [1, 3]})
def series_by_description_and_thickness(folder):
    three_series(folder)


@hazard("2 CT series were found", series={**DEFAULTS, "thickness_mm": [1, 3]})
def series_by_thickness_leaves_two(folder):
    three_series(folder)


@hazard(series_uid="1.2")
def series_by_uid(folder):
    three_series(folder)


@hazard("no CT series is as wanted", series_uid="1.7")
def series_by_a_uid_that_is_not_there(folder):
    three_series(folder)


@hazard("no CT series is as wanted", series={**DEFAULTS, "slices": 30})
def series_of_too_few_images(folder):
    write_series(folder, HU)


# --- files without their header, and text that is almost right ---


def bare(folder, header=False):
    """Write a series without preamble, and with a header of its own or implicit without."""
    for number, path in enumerate(sorted(write_series(folder, HU).iterdir())):
        one = dcmread(path)
        one.preamble, one.InstanceNumber = None, number
        if not header:
            one.file_meta = FileMetaDataset()
        one.save_as(path, enforce_file_format=False, implicit_vr=not header, little_endian=True)


@hazard()
def without_preamble_and_header(folder):
    bare(folder)


@hazard()
def without_preamble_but_with_a_header(folder):
    bare(folder, header=True)


@hazard()
def without_transfer_syntax(folder):
    for path in sorted(write_series(folder, HU).iterdir()):
        one = dcmread(path)
        del one.file_meta.TransferSyntaxUID
        with path.open("wb") as file:
            dcmwrite(file, one, enforce_file_format=False, implicit_vr=False, little_endian=True)


def in_units(kind):
    def make(folder):
        write_series(folder, HU, RescaleType=kind)

    make.__name__ = f"rescale type {kind}"
    return make


for kind in ("Hounsfield Unit", "Houndsfield Unit", "HOUNSFIELD", "hu", "HU ", "H.U.", "HU_MOD"):
    hazard()(in_units(kind))
for kind in ("MGML", "Z_EFF", "ED", "Hunter units"):
    hazard("9 x map or projection computed from CT")(in_units(kind))


@hazard("9 DICOM files write numbers with a decimal comma")
def decimal_commas(folder):
    for path in write_series(folder, HU).iterdir():
        path.write_bytes(path.read_bytes().replace(b"0.9\\0.8", b"0,9\\0,8"))


@hazard(hu=None, flags=("oblique",))
def direction_cosines_with_three_decimals(folder):
    row, column = np.array([0.966, 0.25, 0.067]), np.array([-0.259, 0.945, 0.2])
    exact = np.linalg.qr(np.stack([row, column], 1))[0] * -1
    row, column = exact.T
    step = 2.5 * np.cross(row, column)

    def change(_, one):
        one.ImageOrientationPatient = np.round([*row, *column], 3).tolist()

    write_smooth(folder, row, column, step, change=change)


# --- Enhanced multi-frame ---


def enhanced(folder, hu=HU, image_type=("ORIGINAL", "PRIMARY", "VOLUME", "NONE"), **tags):
    """Write HU as one Enhanced CT object, frames shuffled, each with an intercept of its own."""
    order = np.random.default_rng(1).permutation(len(hu))
    intercepts = [-1024 - 10 * number for number in range(len(hu))]
    frames = []
    stored = np.stack([hu[k] - intercepts[n] for n, k in enumerate(order)]).astype(np.uint16)
    made = image(stored[0], ORIGIN, SOPClassUID=EnhancedCTImageStorage, ImageType=list(image_type))
    for n, k in enumerate(order):
        parts = {
            "PlanePositionSequence": {"ImagePositionPatient": [*ORIGIN[:2], ORIGIN[2] + k * 2.5]},
            "PlaneOrientationSequence": {"ImageOrientationPatient": [1, 0, 0, 0, 1, 0]},
            "PixelMeasuresSequence": {"PixelSpacing": list(SPACING[1:]), "SliceThickness": 2.5},
            "CTImageFrameTypeSequence": {"FrameType": list(image_type)},
            "PixelValueTransformationSequence": {
                "RescaleIntercept": intercepts[n], "RescaleSlope": 1, "RescaleType": "HU", **tags
            },
        }  # fmt: skip
        frame = Dataset()
        for name, values in parts.items():
            item = Dataset()
            item.update(values)
            for keyword, value in values.items():
                setattr(item, keyword, value)
            setattr(frame, name, [item])
        frames.append(frame)
    made.PerFrameFunctionalGroupsSequence = frames
    made.SharedFunctionalGroupsSequence = [Dataset()]
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        delattr(made, keyword)
    del made.RescaleIntercept, made.RescaleSlope, made.SliceThickness
    made.NumberOfFrames, made.PixelData = len(hu), stored.tobytes()
    return made


@hazard()
def enhanced_volume_with_shuffled_frames(folder):
    enhanced(folder).save_as(folder / "enhanced.dcm", enforce_file_format=True)


@hazard()
def enhanced_volume_given_as_a_file(folder):
    enhanced(folder).save_as(folder / "enhanced", enforce_file_format=True)
    return folder / "enhanced"


@hazard("change back and forth in TemporalPositionIndex")
def enhanced_phases_in_each_other(folder):
    made = enhanced(folder, random_hu((12, 20, 16)))
    for frame in made.PerFrameFunctionalGroupsSequence:
        place = frame.PlanePositionSequence[0].ImagePositionPatient[2]
        content = Dataset()
        content.TemporalPositionIndex = 1 + round((place - ORIGIN[2]) / SPACING[0]) % 2
        frame.FrameContentSequence = [content]
    made.save_as(folder / "enhanced.dcm", enforce_file_format=True)


@hazard()
def enhanced_volume_compressed(folder):
    made = enhanced(folder)
    made.compress(RLELossless)
    made.save_as(folder / "enhanced.dcm", enforce_file_format=True)


@hazard("9 x map or projection computed from CT")
def enhanced_perfusion_map(folder):
    made = enhanced(folder, image_type=("DERIVED", "PRIMARY", "PERFUSION", "RCBF"))
    made.ImageType = ["DERIVED", "PRIMARY", "VOLUME", "NONE"]
    made.save_as(folder / "map.dcm", enforce_file_format=True)


@hazard("9 x map or projection computed from CT")
def enhanced_map_in_other_units(folder):
    made = enhanced(folder, RescaleType="MGML")
    made.save_as(folder / "map.dcm", enforce_file_format=True)
