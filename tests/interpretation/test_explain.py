"""Maps of what a model looked at: a model that looks at a known place gives it away."""

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import nn

from hepatoclr.cohorts import splits
from hepatoclr.imaging import slices, tensors, volumes
from hepatoclr.interpretation import explain
from hepatoclr.learning import backbone, data, features, linear
from hepatoclr.stats import predictions as outcomes

WINDOW = (-100, 400)
SIZE = 60
SHAPE = (
    90,
    60,
)  # rows, columns of the CTs: 15 columns of padding on either side, then 2/3 the size
LIVER = (slice(45, 66), slice(12, 33))  # on the CT
SEEN = (slice(30, 44), slice(18, 32))  # the same on the network's slice
SETTINGS = {"C": 1.0, "scale": False, "rows": "slices", "nested_C": [1.0]}


class Looks(nn.Module):
    """A network with two features: the brightness of a place, bent, and that of a single pixel."""

    def __init__(self, place):
        super().__init__()
        self.place = place

    def forward(self, images):
        inside = images[:, 0, *self.place].mean(dim=(-2, -1))
        return torch.stack([10 * torch.relu(inside) ** 2, images[:, 0, 0, 0]], dim=1)


def regression(vectors, targets, scale):
    """A regression on rows, each a patient's only slice."""
    patient = pd.Series(map(str, range(len(vectors))))
    settings = {"C": 1.0, "scale": scale, "rows": "slices"}
    return linear.fit(patient, vectors, pd.Series(targets, patient), settings)


def fitted(scale=False):
    """A regression on two features, of which only the first tells anything."""
    rng = np.random.default_rng(0)
    vectors = np.stack([rng.normal(3, 1, 80), np.zeros(80)], axis=1)
    return regression(vectors, (vectors[:, 0] > 3).astype(int), scale)


def image(seed=0, size=SIZE):
    return torch.from_numpy(
        np.random.default_rng(seed).uniform(0.3, 0.7, (1, 1, size, size))
    ).float()


def maps(model, shown):
    return {
        "gradient": explain.gradient(model, shown, 1),
        "occlusion": explain.occlusion(model, shown),
    }


@pytest.mark.parametrize("place", [(3, 5), (20, 44), (46, 0), (50, 50)])
def test_both_maps_are_where_the_model_looks(place):
    top, left = place
    looked = (slice(top, top + 9), slice(left, left + 9))
    shown = image()
    shown[0, 0, *looked] += 0.3
    found = maps(explain.composed(Looks(looked), fitted()), shown)
    gradient, occlusion = np.abs(found["gradient"]), found["occlusion"]
    assert gradient[looked].sum() == pytest.approx(gradient.sum())
    # squares of six pixels reach five pixels over the rim
    reach = tuple(slice(max(0, start - 5), start + 14) for start in place)
    assert occlusion.sum() > 0
    assert np.abs(occlusion[reach]).sum() == pytest.approx(np.abs(occlusion).sum())
    assert occlusion[looked].sum() > 0.5 * np.abs(occlusion).sum()  # of 2 % of the slice


def test_occlusion_says_in_which_direction():
    model = fitted()
    looks = explain.composed(Looks((slice(20, 30), slice(20, 30))), model)
    shown = torch.full((1, 1, SIZE, SIZE), 0.2)
    shown[..., 20:30, 20:30] = 0.9
    assert explain.occlusion(looks, shown)[25, 25] > 0.5
    shown[..., 20:30, 20:30] = 0.0
    shown[..., 40:, 40:] = 0.9
    assert explain.occlusion(looks, shown)[25, 25] < -0.01


def test_gradient_is_that_of_the_model_and_the_same_every_time():
    looked = (slice(10, 20), slice(10, 20))
    model, shown = explain.composed(Looks(looked), fitted()), image()
    shown.requires_grad_()
    model(shown).sum().backward()
    first, again = explain.gradient(model, shown, 1), explain.gradient(model, shown, 1)
    assert np.array_equal(first, again)
    expected = float(shown.grad[0, 0, 15, 15])
    assert first[15, 15] == pytest.approx(expected, rel=0.02)
    assert not np.array_equal(first, explain.gradient(model, shown, 2))


@pytest.mark.parametrize("scale", [False, True])
def test_regression_and_network_are_one(scale):
    network = backbone.initialise(3, channels=[4, 8], padding=2, hidden=4, projection=2).backbone
    shown = torch.cat([image(seed) for seed in range(20)])
    with torch.inference_mode():
        vectors = network(shown).double().numpy()
    model = regression(vectors, np.arange(20) % 2, scale)
    with torch.inference_mode():
        logits = explain.composed(network, model)(shown).numpy()
    assert logits == pytest.approx(model.logits(vectors), abs=1e-4)


def test_class_activation_is_the_logit_place_by_place():
    settings = {"padding": 2, "hidden": 4, "projection": 2}
    network = backbone.initialise(3, channels=[4, 8], **settings).backbone
    shown = image(7)
    with torch.inference_mode():
        vectors = torch.cat([network(image(seed)) for seed in range(20)]).double().numpy()
        maps = network.feature_map(shown)
    model = regression(vectors, np.arange(20) % 2, False)
    logit = explain.composed(network, model)
    found = explain.class_activation(logit, network, shown)
    places = torch.einsum("nchw,c->nhw", maps, torch.tensor(model.weights).float())[:, None]
    with torch.inference_mode():
        assert places.mean().item() + model.intercept == pytest.approx(
            logit(shown).item(), abs=1e-4
        )
    larger = torch.nn.functional.interpolate(
        places / maps[0, 0].numel(), (SIZE, SIZE), mode="bilinear"
    )
    assert found == pytest.approx(larger[0, 0].numpy(), abs=1e-6)
    assert found.shape == (SIZE, SIZE)


def test_class_activation_of_small_slices_is_finer_than_the_last_maps():
    settings = {"padding": 2, "hidden": 4, "projection": 2}
    network = backbone.initialise(3, channels=[4, 4, 4, 4, 8], **settings).backbone
    model = regression(np.random.default_rng(1).normal(size=(20, 8)), np.arange(20) % 2, False)
    found = explain.class_activation(explain.composed(network, model), network, image(7))
    assert len(np.unique(found.round(9))) > SIZE
    assert np.abs(found).max() > 0


def test_the_most_confident_of_each_kind():
    rows = pd.DataFrame(
        [
            ("a", 1, 0.7),
            ("b", 1, 0.9),
            ("c", 1, 0.2),
            ("d", 0, 0.6),
            ("e", 0, 0.55),
            ("f", 1, 0.39),
        ],
        columns=["patient_id", "label", "probability"],
    ).assign(threshold=0.4)
    found = explain.chosen(rows)
    assert dict(zip(found["kind"], found["patient_id"], strict=True)) == {
        "true positive": "b",
        "false positive": "d",
        "false negative": "c",
    }


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Files of twelve patients with two slices; positive patients have a bright liver."""
    folder = tmp_path_factory.mktemp("run")
    rng = np.random.default_rng(0)
    people = pd.DataFrame({"patient_id": [f"p{n:02}" for n in range(12)], "target": [0, 1] * 6})
    for person in people.itertuples():
        array = rng.normal(0, 20, (6, *SHAPE))
        array[:, *LIVER] += 40 + 120 * person.target + rng.normal(0, 10)
        array[4, *LIVER] += 40  # speaks most for positive, slice 2 for negative
        mask = np.zeros(array.shape, np.uint8)
        mask[:, *LIVER] = 1
        affine = np.diag([-2.0, -1.5, 5.0, 1.0])
        ct = volumes.Volume(array.astype(np.int16), affine)
        kept = [slices.Slice(index, 0.0, 0.5, 1.0) for index in (4, 2)]
        volumes.save(ct, folder / f"volumes/{person.patient_id}.nii.gz")
        volumes.save(volumes.Volume(mask, affine), folder / f"livers/{person.patient_id}.nii.gz")
        (folder / "slices").mkdir(exist_ok=True)
        slices.write(kept, folder / f"slices/{person.patient_id}.csv")
        cached = tensors.preprocess(ct, kept, WINDOW, SIZE)
        tensors.write(cached, folder / f"tensors/{person.patient_id}.b2nd")
    splits.write(splits.stratified(people, 3, 1, 1), folder / "split.csv")
    return folder


def featured(run, network, settings=SETTINGS):
    """Features and predictions of a network, as the earlier stages write them."""
    names = [f"p{n:02}" for n in range(12)]
    cached = data.collect([run / f"tensors/{name}.b2nd" for name in names], WINDOW)
    whole = nn.Module()
    whole.backbone = network
    vectors = features.extract(whole, cached, torch.device("cpu"))
    ids = [names[case] for case in cached.case]
    table = pd.DataFrame({"case": ids, "patient_id": ids, "slice": cached.place})
    table = table.join(pd.DataFrame(vectors).add_prefix("f"))
    table.to_parquet(run / "features.parquet")
    files = [run / "features.parquet", run / "split.csv", [], settings]
    outputs = [run / f"{name}.csv" for name in ("linear", "nested", "beside")]
    linear.cross_validate("mine", 1, *files, *outputs, run / "models.json")
    return table


def cases(run):
    return {kind: sorted((run / kind).iterdir()) for kind in explain.READ}


@pytest.mark.parametrize("rows", ["slices", "patients"])
@pytest.mark.parametrize("scale", [False, True])
def test_maps_lie_on_the_liver_of_the_ct_where_the_model_looks_at_it(run, rows, scale):
    settings = {**SETTINGS, "rows": rows, "scale": scale}
    featured(run, Looks(SEEN), settings)
    confident = explain.chosen(outcomes.read([run / "linear.csv"]))
    given = {"window": WINDOW, "settings": settings, "seed": 1}
    found = explain.explain(
        Looks(SEEN),
        confident,
        run / "features.parquet",
        run / "split.csv",
        cases(run),
        **given,
    )
    assert [shown.facts["kind"] for shown in found] == ["true positive", "true negative"]
    for shown, row in zip(found, confident.itertuples(), strict=True):
        assert shown.ct.shape == shown.liver.shape == shown.maps["gradient"].shape == SHAPE
        assert shown.liver.mean() == pytest.approx(21 * 21 / 90 / 60)
        assert shown.in_liver("gradient") > 0.9
        assert shown.in_liver("occlusion") > 0.6  # squares reach over the rim
        assert shown.facts["slice"] == (4 if row.label else 2)
        whole = volumes.load(run / f"volumes/{row.patient_id}.nii.gz").array
        assert np.array_equal(shown.ct, whole[shown.facts["slice"]])
        if rows == "slices":  # the model is the one that predicted the patient, fitted without them
            said = [float(text) for text in row.by_slice.split()]
            best = max(said) if row.label else min(said)
            assert 1 / (1 + np.exp(-shown.facts["logit"])) == pytest.approx(best, abs=1e-4)


@pytest.mark.parametrize("rows", ["slices", "patients"])
@pytest.mark.parametrize("scale", [False, True])
def test_the_explained_model_is_the_one_that_predicted(run, rows, scale):
    settings = {**SETTINGS, "rows": rows, "scale": scale}
    table = featured(run, Looks(SEEN), settings)
    patient, vectors = linear.read(run / "features.parquet")
    split = splits.read(run / "split.csv")
    for row in outcomes.read([run / "linear.csv"]).itertuples():
        known = splits.training(split, row.fold).set_index("patient_id")["target"]
        model = linear.fit(patient, vectors, known, settings)
        own = vectors[(table["patient_id"] == row.patient_id).to_numpy()]
        own = own.mean(axis=0, keepdims=True) if rows == "patients" else own
        odds = 1 / (1 + np.exp(-model.logits(own)))
        assert odds.mean() == pytest.approx(row.probability, abs=1e-9)


def test_a_map_of_zeros_has_no_share():
    blank = np.zeros((4, 5))
    facts = {
        "patient_id": "a",
        "label": 1,
        "probability": 0.9,
        "kind": "true positive",
        "slice": 3,
    }
    shown = explain.Explanation(facts, blank, blank > 0, (1, 1), dict.fromkeys(explain.MAPS, blank))
    assert np.isnan(shown.in_liver("gradient"))


def test_table_and_figure_are_written_and_the_same_every_time(run, tmp_path):
    shape = {"channels": [4, 8], "padding": 2, "hidden": 4, "projection": 2}
    network = backbone.initialise(3, **shape)
    backbone.write(network, tmp_path / "encoder.safetensors")
    featured(run, network.backbone)
    for name in ("first", "again"):
        explain.run(
            "weak_simclr-0.5",
            tmp_path / "encoder.safetensors",
            [run / "linear.csv"],
            run / "features.parquet",
            run / "split.csv",
            cases(run),
            tmp_path / name / "maps.csv",
            [tmp_path / name / "maps.svg", tmp_path / name / "maps.png"],
            network=shape,
            window=WINDOW,
            settings=SETTINGS,
            threshold=0.5,
            seed=1,
            disclaimers=["synthetic", "permuted"],
            threads=1,
        )
    for file in ("maps.csv", "maps.svg", "maps.png"):
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "again" / file).read_bytes()
    found = pd.read_csv(tmp_path / "first/maps.csv")
    assert found.columns.tolist() == [
        *("patient_id", "label", "probability", "threshold", "kind", "case", "slice", "logit"),
        *("liver", "gradient_in_liver", "occlusion_in_liver"),
    ]
    assert found["threshold"].eq(0.5).all()
    assert found[["gradient_in_liver", "occlusion_in_liver"]].stack().between(0, 1).all()
    svg = (tmp_path / "first/maps.svg").read_text(encoding="utf-8")
    assert "<!-- synthetic cohort, labels permuted (control) -->" in svg
    assert all(f"patient {name}" in svg for name in found["patient_id"])
    assert Image.open(tmp_path / "first/maps.png").size > (1000, 500)
