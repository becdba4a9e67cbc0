import pytest
import torch

from hepatoclr.base.errors import UserError
from hepatoclr.learning import backbone, experiment

BETAS = [0, 0.2, 0.4, 0.5, 0.8, 1]


def test_the_paper_trains_seven_encoders():
    methods = ["supervised", "simclr", "supcon", "weak_simclr"]
    found = experiment.pretrained(methods, BETAS, 0.5)
    weak = [f"weak_simclr-{beta}" for beta in (0.2, 0.4, 0.5, 0.8)]
    assert sorted(found) == sorted(["supervised", "simclr", "supcon", *weak])
    assert found["simclr"] == {"method": "simclr"}
    assert found["weak_simclr-0.2"] == {"method": "weak_simclr", "beta": 0.2}


def test_the_ends_of_table_2_are_trained_without_being_asked_for():
    assert set(experiment.pretrained(["weak_simclr"], [0, 1.0], 0.5)) == {
        "simclr",
        "supervised",
        "weak_simclr-0.5",
    }


def test_rows_of_the_tables():
    assert experiment.by_method(["simclr", "weak_simclr"], 0.4) == {
        "none": "none",
        "simclr": "simclr",
        "weak_simclr": "weak_simclr-0.4",
    }
    assert list(experiment.by_beta([1, 0.5, 0]).items()) == [
        (0, "simclr"),
        (0.5, "weak_simclr-0.5"),
        (1, "supervised"),
    ]


def test_trainings_share_jobs_of_a_given_size():
    names = ["none", "simclr", "supcon"]
    assert experiment.shared_jobs("finetune", "encoder", names, 1) == {"finetune": ["{encoder}"]}
    assert experiment.shared_jobs("finetune", "encoder", names, 2) == {
        "finetune_1": ["none", "simclr"],
        "finetune_2": ["supcon"],
    }
    assert experiment.shared_jobs("curve", "fraction", [0.5], 5) == {"curve_1": ["0.5"]}
    assert experiment.shared_jobs("curve", "fraction", [], 5) == {}


def test_the_learning_curve_is_the_fine_tuning_of_random_weights():
    assert experiment.fine_tuning("finetune", "simclr") == {"encoder": "simclr", "fraction": 1.0}
    assert experiment.fine_tuning("learning_curve", "0.5") == {"encoder": "none", "fraction": 0.5}


@pytest.mark.parametrize("padding", [0, 2, 4])
@pytest.mark.parametrize("size", [16, 61, 98, 157, 160])
def test_slices_that_do_not_fit_through_the_network_are_refused(size, padding):
    for blocks in (1, 3, 5):
        network = backbone.Backbone([2] * blocks, padding)
        given = ({"beta": 0.5, "betas": [0.5]}, {"size": size})
        given = (*given, {"channels": [2] * blocks, "padding": padding})
        try:
            network(torch.zeros(1, 1, size, size))
        except RuntimeError:
            with pytest.raises(UserError, match=f"nothing is left of {size} pixels"):
                experiment.check_values(*given)
        else:
            experiment.check_values(*given)


def test_weights_with_one_name_are_refused():
    weights = {"beta": 0.5, "betas": [0.5, 0.50000001]}
    with pytest.raises(UserError, match="0.5 and 0.50000001 both are weak_simclr-0.5"):
        experiment.check_values(weights, {"size": 512}, {"channels": [32], "padding": 4})
