"""What the report says was found: never more than interval and test agree on."""

import example_report
import numpy as np
import pandas as pd
import pytest
from example_predictions import METHODS
from example_report import comparison

from hepatoclr.reporting import findings

MEANS = [0.7, 0.72, 0.74, 0.76, 0.78, 0.8, 0.65, 0.67, 0.86, 0.83]
CNN = {"method": "cnn", "protocol": "model", "auc_mean": 0.8, "auc_sd": np.nan}
ENOUGH = (
    "These patients would have shown a true difference of 0.12 four times in five; a smaller one "
    "may well exist."
)


def linear(*rows, **columns):
    """Findings for the linear evaluation alone, of given comparisons."""
    table = example_report.table1(MEANS, **columns)
    found = findings.findings(table[table["protocol"] == "linear"], pd.DataFrame(rows))
    assert len(found) == 1
    return found[0]


def test_each_protocol_has_its_best_method():
    table = example_report.table1(MEANS)
    found = findings.findings(table, None)
    assert [one.main for one in found] == [
        "Linear evaluation: weak-SimCLR has the highest AUC, 0.86 (95 % interval 0.70 to 0.88).",
        "Fine-tuned: weak-SimCLR has the highest AUC, 0.83 (95 % interval 0.70 to 0.88).",
    ]
    assert [one.details for one in found] == [[], []]


def test_an_interval_that_includes_0_is_no_evidence():
    assert linear(comparison()).details == [
        "No evidence of a difference to random weights: 0.07 (95 % interval −0.05 to 0.19, "
        "Holm-adjusted p = 0.360).",
        ENOUGH,
    ]


def test_trained_models_that_differ_are_told_from_methods_that_may_not():
    said = linear(comparison(low=0.02, high=0.12, t_low=-0.05, t_high=0.19)).details[0]
    assert said.startswith(
        "No evidence of a difference to random weights: 0.07 (95 % interval −0.05"
    )
    assert said.endswith("as they were trained the 95 % interval is 0.02 to 0.12, without 0.")


def test_a_difference_needs_interval_and_test():
    clear = comparison(t_low=0.02, p_holm=0.0004)
    assert linear(clear).details == [
        "Evidence of a higher AUC than that of random weights: difference 0.07 (95 % interval "
        "0.02 to 0.19, Holm-adjusted p < 0.001)."
    ]
    corrected = linear(comparison(t_low=0.02, p_holm=0.05)).details
    assert corrected[0].startswith(
        "No evidence of a difference to random weights once the number of comparisons is counted: "
    )
    assert corrected[1] == ENOUGH
    by_test_alone = linear(comparison(t_low=-0.01, p_holm=0.01)).details[0]
    assert by_test_alone.startswith("No evidence of a difference to random weights: 0.07")
    assert linear(comparison(t_low=0.02, p_holm=np.nan)).details[0].startswith("No evidence")


def test_without_folds_the_interval_is_that_of_the_trained_models():
    clear = comparison(low=0.02, t_low=np.nan, t_high=np.nan, p_holm=0.0004)
    assert "(95 % interval 0.02 to 0.15, Holm-adjusted p < 0.001)" in linear(clear).details[0]


def test_the_best_may_be_worse_than_a_reference_by_another_measure():
    lower = comparison(difference=-0.07, t_low=-0.15, t_high=-0.02, p_holm=0.01, reference="simclr")
    assert linear(lower).details[0].startswith("Evidence of a lower AUC than that of SimCLR: ")


def test_each_reference_is_compared_and_the_power_told_once():
    details = linear(
        comparison(), comparison(reference="simclr", minimum_detectable_difference=0.2)
    ).details
    assert [sentence.partition(":")[0] for sentence in details[:2]] == [
        "No evidence of a difference to random weights",
        "No evidence of a difference to SimCLR",
    ]
    assert details[2].startswith(
        "These patients would have shown a true difference of 0.12 to 0.20 four times in five"
    )
    assert len(linear(comparison(minimum_detectable_difference=np.nan)).details) == 1


def test_only_the_method_s_own_encoder_counts():
    others = comparison(encoder="weak_simclr-nested", t_low=0.02, p_holm=0.001)
    assert linear(others, comparison()).details[0].startswith("No evidence")
    assert linear(comparison(encoder="simclr"), comparison(protocol="finetune")).details == []
    # a model called as the beginning of another is not the other
    table = pd.DataFrame([CNN])
    rows = [comparison(protocol="model", encoder=name) for name in ("cnn", "cnn-large")]
    assert len(findings.findings(table, pd.DataFrame(rows))[0].details) == 2


def test_random_weights_may_be_best():
    table = example_report.table1([0.9, 0.9, *MEANS[2:]])
    first = findings.findings(table, example_report.comparisons())[0]
    assert first.main.startswith("Linear evaluation: random weights have the highest AUC, 0.90 (")
    assert first.details == ["No pretrained encoder has a higher one."]


def test_a_tie_is_no_victory():
    def main(*means):
        table = example_report.table1([mean for mean in means for _ in range(2)])
        return findings.findings(table, None)[0].main.partition(": ")[2]

    alone = "SupCon has the highest AUC, 0.80 (95 % interval 0.70 to 0.88)"
    assert main(0.7, 0.7, 0.7, 0.8, 0.79) == f"{alone}."
    assert main(0.7, 0.7, 0.7, 0.801, 0.799) == f"{alone}, as has 1 other."
    assert main(0.7, 0.8, 0.7, 0.801, 0.8) == f"{alone}, as have 2 others."


IDLE = "the loss of its last epoch is not clearly below that of equal features."


def learned(**known):
    """The column of that name, a value for each row of the made-up Table 1."""
    return {"learned": [known.get(name) for name in METHODS for _ in range(2)]}


def test_what_did_not_learn_is_named_and_never_the_best():
    known = learned(supervised=1, simclr=1, supcon=1, weak_simclr=0)
    table = example_report.table1(MEANS, **known)
    first, second = findings.findings(table, pd.DataFrame([comparison(encoder="simclr")]))
    assert first.main == (
        "Linear evaluation, of the encoders that learned: SimCLR has the highest AUC, 0.78 (95 % "
        "interval 0.70 to 0.88)."
    )
    assert first.details[0].startswith("No evidence of a difference to random weights: 0.07")
    assert first.details[-1] == f"weak-SimCLR did not learn: {IDLE}"
    assert "of the encoders that learned: SimCLR has" in second.main
    assert "The best of 4 methods" in findings.basis(table, None)


def test_several_that_did_not_learn_are_named_together():
    known = learned(supervised=0, simclr=1, supcon=0, weak_simclr=0)
    found = findings.findings(example_report.table1(MEANS, **known), None)[0]
    names = "Supervised, SupCon and weak-SimCLR did not learn: the loss of their last epochs"
    assert found.details[-1].startswith(names)


def test_random_weights_are_best_where_nothing_learned():
    known = learned(supervised=0, simclr=0, supcon=0, weak_simclr=0)
    table = example_report.table1(MEANS, **known)
    main = findings.findings(table, None)[0].main
    assert main.startswith(
        "Linear evaluation, of the encoders that learned: random weights have an AUC of 0.70 ("
    )
    assert "best" not in findings.basis(table, None)
    alone = findings.findings(table[table["method"] != "none"], None)[0]
    assert alone.main == "Linear evaluation: no encoder learned, and none is called best."
    assert len(alone.details) == 1


def test_where_nothing_is_known_all_is_as_before():
    plain = findings.findings(example_report.table1(MEANS), None)
    for known in (learned(), learned(supervised=1, simclr=1, supcon=1, weak_simclr=1)):
        assert findings.findings(example_report.table1(MEANS, **known), None) == plain


def test_a_single_method_is_not_called_the_highest():
    table = pd.DataFrame([CNN])
    assert findings.findings(table, None) == [
        findings.Finding("Models: cnn has an AUC of 0.80, without an interval.", [])
    ]


def test_without_numbers_nothing_is_said():
    assert findings.findings(example_report.table1(auc=np.nan), None) == []


@pytest.mark.parametrize(
    ("low", "high", "main"),
    [
        (0.4, 0.6, "The control passed: all 10 AUC intervals cover 0.5."),
        (0.5, 0.6, "The control passed: all 10 AUC intervals cover 0.5."),
        (np.nan, np.nan, "Control with permuted labels: without intervals it shows nothing."),
    ],
)
def test_a_control_passes_where_nothing_is_found(low, high, main):
    assert findings.control(example_report.table1(0.5, low, high)) == findings.Finding(main, [])


def test_a_control_fails_where_something_is_found():
    table = example_report.table1(
        0.5, [0.4] * 4 + [0.61] + [0.4] * 5, [0.6] * 4 + [0.8] + [0.49] * 5
    )
    found = findings.control(table.iloc[:6])
    assert found.main == (
        "The control failed: 1 of 6 AUC intervals lies above 0.5 (SimCLR, linear: 0.61 to 0.80)."
    )
    assert "one interval in forty" in found.details[0]
    assert found.details[1].startswith(
        "1 of 6 AUC intervals lies below 0.5 (SimCLR, fine-tuned: 0.40 to 0.49). That is no leak"
    )
    below = findings.control(table.iloc[5:7])
    assert below.main == "The control passed: no AUC interval lies above 0.5."
    assert below.details[0].startswith("2 of 2 AUC intervals lie below 0.5")
    assert findings.control(table.iloc[:1]).main.endswith("its one AUC interval covers 0.5.")


def test_what_it_rests_on():
    counts = {"patients": 100, "positive": 60, "negative": 40}
    assert findings.basis(example_report.table1(), counts) == (
        "Tested on 100 patients, 60 positive and 40 negative. The best of 5 methods was picked "
        "after the results were known, which flatters its AUC."
    )
    few = "With fewer than 10 patients of a class no interval can be trusted."
    assert findings.basis(None, counts | {"negative": 9}).endswith(few)
    assert few not in findings.basis(None, counts | {"negative": 10})
    assert findings.basis(example_report.table1().iloc[:2], None) == ""
    assert findings.basis(None, None) == ""


def test_an_image_method_tells_something_where_it_adds_to_the_best_baseline():
    first, second = findings.baselines(example_report.baselines())
    assert first.main == (
        "Without any image platelets has the highest AUC, 0.72 (95 % interval 0.56 to 0.84)."
    )
    assert first.details == ["The label is told by site, too."]
    assert second.main == (
        "Linear evaluation: SimCLR adds to platelets (gain of AUC 0.09, 95 % interval 0.02 to "
        "0.16, likelihood-ratio p = 0.001)."
    )


@pytest.mark.parametrize(("gain", "p"), [(0.05, 0.001), (0.09, 0.2), (-0.02, 1)])
def test_where_interval_or_test_do_not_say_so_it_tells_nothing_more(gain, p):
    _, second = findings.baselines(example_report.baselines(gain, p))
    text = "Linear evaluation: no evidence that SimCLR tells anything beyond platelets (gain of AUC"
    assert second.main.startswith(text)


def test_a_baseline_that_may_be_chance_is_named_as_such():
    table = example_report.baselines().assign(p_holm=0.3)
    first, *_ = findings.baselines(table)
    assert first.main.endswith("(95 % interval 0.56 to 0.84), which may be chance.")
    assert first.details == []
    (none,) = findings.baselines(table.assign(auc=np.nan, gain=np.nan))
    assert none.main == "Nothing that differs between patients is known of them."
