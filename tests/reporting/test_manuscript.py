"""Text for a paper: numbers of the run, nothing that it did not do, nothing injected."""

import copy
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import example_predictions
import example_report
import pandas as pd
import pytest
import yaml
from markdown_it import MarkdownIt

from hepatoclr.base import settings
from hepatoclr.quality import patient_flow
from hepatoclr.reporting import formatting
from hepatoclr.reporting.manuscript import checklists, manuscript
from hepatoclr.reporting.tables import tables

ROOT = Path(__file__).parents[2]
SCHEMA = yaml.safe_load((ROOT / "rules/config.schema.yaml").read_text())
INTERVALS = ["auc_low", "auc_high", "balanced_accuracy_low", "balanced_accuracy_high"]
INTERVALS += ["fitted", "fitted_low", "fitted_high"]
PUBLISHED = {"tripod_ai": 52, "claim": 44, "metrics": 30}
EVIL = (
    "x|y\n# h <script>alert(1)</script> & \\input{/etc/passwd} $a_b^c%d# `q` [l](http://e.org) ~{"
)
LABELS = {"positive": ["F3", "F4"], "negative": ["F0", "F1", "F2"], "exclude": []}
VERSIONS = {"hepatoclr": "0.1.0", "torch": "2.0", "scikit-learn": "1.5", "totalsegmentator": "2.4"}
SPECIAL = re.compile(r"(?<!\\)[%&#_~^]")


@cache
def found_tables(synthetic):
    """All tables of made-up predictions."""
    predictions = example_predictions.complete(repeats=1)
    methods, betas = example_predictions.METHODS, example_predictions.BETAS
    return tables.all(predictions, methods, betas, ["synthetic"] if synthetic else [])


def cases(role, count=10, **changes):
    """A cohort's table: patients of both classes, one of them excluded."""
    table = pd.DataFrame(
        {
            "case": [f"c{n}" for n in range(count)],
            "patient_id": [f"p{n}" for n in range(count)],
            "role": role,
            "target": pd.array([n % 2 for n in range(count)], "Int64"),
            "slices": 20,
            "included": [n > 0 for n in range(count)],
            "step": ["truncated"] + [""] * (count - 1),
            "site": "",
        }
    )
    return table.assign(**changes)


def known(chosen=None, synthetic=True, more=(), about=(), cohorts=(), formats=("DICOM",)):
    """The facts of a run with the tiny preset, or of another configuration."""
    given = {"preset": "tiny", **(chosen or {})}
    config = settings.resolve(given, SCHEMA, ROOT / "presets")
    held = {"radio": cases("pretraining"), "histo": cases("evaluation"), **dict(cohorts)}
    described = {
        name: {
            "role": table["role"].iloc[0],
            "labels": LABELS,
            "checks": {},
            "synthetic": synthetic,
        }
        for name, table in held.items()
    }
    found = {
        name: found_tables(synthetic)[name].drop(columns=INTERVALS, errors="ignore")
        for name in ("table1", "table2", "learning_curve")
    }
    return manuscript.facts(
        {key: value for key, value in config.items() if key != "cohorts"},
        settings.origins(config, SCHEMA),
        {name: {**part, **dict(about)} for name, part in described.items()},
        held,
        patient_flow.table(held, {}),
        {**found, **dict(more)},
        formats,
        VERSIONS,
        [
            {"device": "cpu", "precision": "32-true"},
            {"device": "NVIDIA V100", "precision": "16-mixed"},
        ],
    )


def external():
    """The facts of a run on cohorts of its own, TotalSegmentator, and an external cohort."""
    chosen = {
        "preset": "paper",
        "run": "study",
        "cohorts": {"histo": {"role": "evaluation"}},
        "checks": {"exclude": ["truncated", "volume"]},
        "slices": {"fraction": 0.6, "by": "area"},
        "tensors": {"window": [-150, 250]},
        "evaluation": {"repeats": 10, "folds": 4},
        "experiment": {"seeds": [3, 5]},
    }
    sites = cases("evaluation", site=["A", "B"] * 5)
    other = {"histo": sites, "other": cases("external", target=pd.array([None] * 10, "Int64"))}
    return known(chosen, synthetic=False, cohorts=other)


def comparisons():
    rows = {
        "protocol": ["linear", "finetune"],
        "encoder": ["weak_simclr-0.5", "weak_simclr-nested"],
        "reference": ["none", "simclr"],
        "difference": [0.07, -0.01],
        "low": [0.02, -0.09],
        "high": [0.12, 0.07],
        "p_delong": [0.0004, 0.81],
        "p_permutation": [0.002, 0.8],
        "p_corrected_t": [0.003, float("nan")],
        "p_holm": [0.0008, 0.999],
        "minimum_detectable_difference": [0.06, 0.11],
    }
    return pd.DataFrame(rows)


def both(text, facts):
    return [manuscript.render(text, markup, facts) for markup in (MARKDOWN, LATEX)]


MARKDOWN, LATEX = manuscript.MARKDOWN, manuscript.LATEX


def test_the_methods_say_where_each_setting_is_from():
    text = manuscript.render("methods", MARKDOWN, external()).split("Origin of the settings")[1]
    paper, follow_up, ours, changed = text.split("\n\n")[1:5]
    assert "Sarfati et al. [@sarfati2023]: " in paper
    assert "pretraining.batch" in paper
    assert "augmentation.crop" in follow_up
    assert "network.padding 4;" in ours
    assert "slices.fraction 0.6; slices.by area;" in changed


def check_latex(text):
    """What would keep a fragment from compiling: braces out of balance, bare special characters."""
    assert set(text) - set("×±") <= set(map(chr, range(128)))
    depth = 0
    for letter in re.sub(r"\\[{}\\]", "", text):
        depth += {"{": 1, "}": -1}.get(letter, 0)
        assert depth >= 0
    assert depth == 0
    citations = re.sub(r"\\cite\{[\w,]*\}", "", text)
    assert not SPECIAL.search(citations)
    assert citations.replace(r"\$", "").count("$") % 2 == 0
    commands = set(re.findall(r"\\([a-zA-Z]+)", text))
    assert commands <= {
        *("subsection", "textbf", "cite", "textpm", "beta", "times", "geq", "leq"),
        *("textbackslash", "textasciitilde", "textasciicircum", "textless", "textgreater"),
        *("textbar", "textasciigrave"),
    }


def test_methods_give_the_numbers_of_the_configuration():
    text = manuscript.render("methods", MARKDOWN, external())
    for said in (
        "the 60 % with the largest area of liver were kept",
        "clipped to −150 to 250 HU",
        "32, 64, 128, 256 and 512 output channels",
        "a temperature of 0.1",
        "trained for 200 epochs in batches of 92 slices with Adam, an initial",
        "an initial learning rate of 0.0001 that decayed along a cosine to 0",
        "a weight decay of 0.0001",
        "a weight decay of 0.001",
        "as many per epoch as there were",
        "seeds 3 and 5",
        "divided into 4 folds",
        "This was done 10 times (seed 1)",
        "crop to 70 % of the area, of an aspect ratio between 3:4 and 4:3, with probability 0.5",
        "rotation by up to 30 degrees to either side with probability 0.5",
        "40 %, 60 %, 80 % and 100 % of the training patients",
        "largest Youden index [@youden1950] on the training patients of each fold. Sensitivity",
        "predictive values and F1 are at the latter, of the nested choice at its own",
        "once more on features standardised in the training folds",
        "TotalSegmentator [@wasserthal2023], version 2.4, at a resolution of 3 mm",
        "liver volume outside 300 to 6000 ml",
        "applied to the external cohort other",
        "The CTs came from 2 sites.",
        "uniformly between plus and minus one divided by the square root of its number of inputs",
        "the last layer starting from random weights for every encoder, for 200 epochs",
        "Networks ran on NVIDIA V100 and the CPU, in training with float16 and float32 arithmetic.",
    ):
        assert said in text


def test_a_cohorts_own_checks_and_an_emptied_external_cohort_are_told():
    gone = cases("external", included=False, step="volume")
    own = {"checks": {"liver_ml": "[1, 2]"}}
    facts = known(about=own, cohorts={"other": cases("external"), "gone": gone})
    text = manuscript.render("methods", MARKDOWN, facts)
    assert "applied to the external cohort other." in text
    assert "For other alone other checks held: liver\\_ml \\[1, 2\\]." in text
    alone = known(cohorts={"gone": gone})
    text = "".join(manuscript.render(name, MARKDOWN, alone) for name in manuscript.TEXTS)
    assert "There was no external cohort of which a CT could be used." in text
    assert "External cohorts" not in text


def test_nothing_is_said_that_was_not_done():
    text = "".join(manuscript.render(name, MARKDOWN, known()) for name in manuscript.TEXTS)
    for never in ("TotalSegmentator", "NIfTI", "CutOut", "DeLong", "Holm", "External", "site"):
        assert never not in text
    assert "There was no external cohort." in text
    assert "No confidence intervals were computed" in text
    assert "not compared by statistical tests" in text
    own = manuscript.render("methods", MARKDOWN, external())
    assert "ynthetic" not in own
    assert "simulat" not in own


@pytest.mark.parametrize("markup", [MARKDOWN, LATEX], ids=["markdown", "latex"])
@pytest.mark.parametrize("text", manuscript.TEXTS)
def test_marks_come_first(text, markup):
    facts = known({"finetune": {"epoch": "best-on-validation"}})
    first, second = manuscript.render(text, markup, facts).split("\n\n")[:2]
    assert formatting.SYNTHETIC in first
    assert formatting.DISCLAIMERS["leaky"] in second
    assert formatting.SYNTHETIC not in manuscript.render(text, markup, external())


def test_a_control_is_marked():
    table = found_tables(False)["table1"].assign(data="permuted")
    facts = known(synthetic=False, more={"table1": table})
    first = manuscript.render("results", MARKDOWN, facts).split("\n\n")[0]
    assert first == f"**{formatting.DISCLAIMERS['permuted']}**"


def test_exclusions_are_counted_with_their_reason():
    text = manuscript.render("results", MARKDOWN, known())
    assert (
        "Of the 10 CTs of 10 patients in the evaluation cohort histo, 1 CT, and with it "
        "1 patient, was excluded (liver cut off by the end of the CT); the remaining 9 CTs of "
        "9 patients were used: 5 patients positive and 4 negative, with 180 slices."
    ) in text


def test_patients_without_a_weak_label_are_counted():
    some = pd.array([0, 1, 0, 1, 0, None, None, None, None, None], "Int64")
    facts = known(cohorts={"radio": cases("pretraining", target=some)})
    text = manuscript.render("results", MARKDOWN, facts)
    said = "2 patients positive and 2 negative, and 5 patients without a label, with 180 slices."
    assert said in text
    methods = manuscript.render("methods", MARKDOWN, facts)
    assert (
        "5 further patients without a weak label took part in contrastive losses only, and not in "
        "supervised pretraining."
    ) in methods
    assert "without a" not in manuscript.render("methods", MARKDOWN, external())


def test_results_are_those_of_the_tables_with_their_intervals():
    facts = known()
    row = facts["table1"][0]["rows"][0]
    shown = formatting.plus_minus(row["auc_mean"], row["auc_sd"])
    assert f"AUC was {shown} for random weights;" in manuscript.render("results", MARKDOWN, facts)
    text = manuscript.render("results", MARKDOWN, known(more=found_tables(True)))
    assert "Balanced accuracy at a threshold of 0.5 was" in text
    assert "Balanced accuracy at the threshold with the largest Youden index was" in text
    row = found_tables(True)["table1"].iloc[0]
    ends = f"(95 % CI {row['auc_low']:.2f} to {row['auc_high']:.2f})"
    assert f"AUC was {shown} {ends} for random weights;" in text
    assert "No confidence intervals" not in text


def test_the_tables_of_a_run_are_told():
    facts = known(more=found_tables(True))
    for name in manuscript.TEXTS:
        check_latex(manuscript.render(name, LATEX, facts))
    text = manuscript.render("results", MARKDOWN, facts)
    chosen = found_tables(True)["nested"].query("choice == 'beta'")
    assert len(chosen)
    for row in chosen.to_dict("records"):
        assert f"the AUC was {row['nested']:.2f} with beta chosen in the training folds" in text
    assert text.count("the difference in AUC between") == len(found_tables(True)["comparisons"])
    assert "table of measures" in text
    methods = manuscript.render("methods", MARKDOWN, facts)
    assert "from 2000 bootstrap samples of the patients" in methods
    assert "compared with random weights and SimCLR" in methods
    lines = {line.item: line for line in checklists.lines(checklists.read("metrics"), facts)}
    assert lines["22"].answer.startswith("Yes.")


def test_differences_are_no_proof_of_equality():
    facts = known(more={"comparisons": comparisons()})
    text = manuscript.render("results", MARKDOWN, facts)
    assert (
        "In linear evaluation the difference in AUC between weak-SimCLR 0.5 and random weights was "
        "0.07 (95 % CI 0.02 to 0.12; DeLong p &lt; 0.001; permutation p = 0.002; corrected "
        "resampled t p = 0.003; Holm-adjusted p &lt; 0.001): evidence of a difference at the "
        "5 % level after adjustment. The smallest detectable difference was 0.06."
    ) in text
    assert "−0.01 (95 % CI −0.09 to 0.07; DeLong p = 0.81; permutation p = 0.80; Holm" in text
    assert "no evidence of a difference" in text
    methods = manuscript.render("methods", MARKDOWN, facts)
    assert all(f"@{key}" in methods for key in ("delong1988", "nadeau2003", "holm1979"))


@pytest.mark.parametrize(
    ("print_", "value", "shown"),
    [
        (manuscript.pvalue, 0.0004, "< 0.001"),
        (manuscript.pvalue, 0.034, "= 0.034"),
        (manuscript.pvalue, 0.43, "= 0.43"),
        (manuscript.pvalue, 0.999, "> 0.99"),
        (manuscript.decimals, -0.004, "0.00"),
        (manuscript.decimals, -0.096, "−0.10"),
        (manuscript.number, 1e-5, "0.00001"),
        (manuscript.number, -100, "−100"),
        (manuscript.percent, 0.07, "7 %"),
        (manuscript.words, ["a"], "a"),
        (manuscript.words, [0, 0.5, 1], "0, 0.5 and 1"),
    ],
)
def test_numbers_are_printed_for_people(print_, value, shown):
    assert print_(value) == shown


def baselines():
    """What else tells the label, as read from its CSV."""
    scores = pd.DataFrame({"baseline": ["FIB-4"], "auc": [0.66], "p_holm": [0.03]})
    return pd.concat([example_report.baselines(), scores], ignore_index=True)


@pytest.mark.parametrize("markup", [manuscript.MARKDOWN, manuscript.LATEX])
def test_what_else_tells_the_label_is_told(markup):
    facts = known({"covariates": {"platelets": "number"}}, more={"baselines": baselines()})
    cited = []
    methods, results = (manuscript.render(text, markup, facts, cited) for text in manuscript.TEXTS)
    assert "from the manifest platelets, with FIB-4 " in " ".join(methods.split())
    assert {"sterling2006", "demler2012"} <= set(cited)
    assert not {"wai2003", "johnson2015"} & set(cited)
    told = " ".join(results.split()).replace(r"\%", "%")
    assert (
        "0.70 (95 % CI 0.57 to 0.80) by site; 0.72 (95 % CI 0.56 to 0.84) by platelets; and" in told
    )
    assert "SimCLR, in linear evaluation, and platelets together had an AUC of 0.81" in told
    assert "a gain of 0.09 (95 % CI 0.02 to 0.16); likelihood-ratio test p = 0.001." in told
    assert "scanner" not in told


def test_checklists_say_what_images_were_compared_with():
    facts = known({"covariates": {"platelets": "number"}}, more={"baselines": baselines()})
    answers = {
        line.item: line.answer for line in checklists.lines(checklists.read("metrics"), facts)
    }
    assert answers["19"].startswith("Yes. What file order, site, scanner and platelets tell")
    assert answers["24"].startswith("Yes. The best image method is set against platelets.")
    assert answers["25"].startswith("Yes. What the best image method adds")
    plain = {
        line.item: line.answer for line in checklists.lines(checklists.read("metrics"), known())
    }
    assert plain["25"].startswith("No. The baseline is a network")


def test_agreement_of_labels_is_told():
    rows = {"measure": ["kappa"], "estimate": [0.5], "low": [0.3], "high": [0.7], "patients": [9]}
    text = manuscript.render("results", MARKDOWN, known(more={"agreement": pd.DataFrame(rows)}))
    assert "In 9 patients of histo with both labels" in text
    assert "kappa 0.50 (95 % CI 0.30 to 0.70)." in text


@pytest.mark.parametrize(
    "scheme", ["stratified", "leave-one-out", "balanced-leave-one-out", "site"]
)
def test_every_scheme_has_its_words(scheme):
    facts = known({"evaluation": {"scheme": scheme}})
    text = manuscript.render("methods", MARKDOWN, facts)
    assert ("leave-one-out" in text) == scheme.endswith("leave-one-out")
    assert ("which is biased" in text) == (scheme == "leave-one-out")
    assert ("each site was tested by models trained on the others" in text) == (scheme == "site")
    assert ("stratified by label" in text) == (scheme == "stratified")
    assert not re.search(r" [.,;]", text)


@pytest.mark.parametrize("make", [known, external])
def test_latex_is_balanced_and_escaped(make):
    for name in manuscript.TEXTS:
        text = manuscript.render(name, LATEX, make())
        check_latex(text)
        assert not re.search(r" [.,;:]", text)


def test_latex_compiles(tmp_path):
    engine = next(filter(shutil.which, ("tectonic", "pdflatex")), None)
    if engine is None:
        pytest.skip("neither tectonic nor pdflatex is here")
    manuscript.write(hostile(), tmp_path)
    body = "".join(rf"\input{{{name}.tex}}" for name in manuscript.TEXTS)
    article = (
        rf"\documentclass{{article}}\usepackage{{textcomp}}\begin{{document}}{body}\end{{document}}"
    )
    (tmp_path / "paper.tex").write_text(article)
    subprocess.run([engine, "paper.tex"], cwd=tmp_path, check=True, stdin=subprocess.DEVNULL)


def test_what_is_cited_is_in_the_references(tmp_path):
    manuscript.write(known(more={"comparisons": comparisons()}), tmp_path)
    written = (tmp_path / "references.bib").read_text()
    keys = set(re.findall(r"^@\w+\{(\w+),", written, re.M))
    for name in manuscript.TEXTS:
        markdown, latex = ((tmp_path / f"{name}.{end}").read_text() for end in ("md", "tex"))
        assert set(re.findall(r"\[@(\w+)\]", markdown)) <= keys
        cited = {key for keys in re.findall(r"\\cite\{(.*?)\}", latex) for key in keys.split(",")}
        assert cited <= keys
    assert "wasserthal2023" not in keys
    assert written.count("doi = ") == len(keys) - 1  # Holm 1979 has none
    assert written.count("{") == written.count("}")


def hostile():
    """The facts of a run whose labels, site, backend and devices are hostile text."""
    facts = copy.deepcopy(external())
    facts["run"] = EVIL
    facts["devices"] = [EVIL]
    facts["segment"]["backend"] = EVIL
    for about in facts["cohorts"].values():
        about["labels"] = {"positive": [EVIL], "negative": [EVIL], "exclude": [EVIL]}
    return facts


def rendered(text):
    """Text of the blocks of a Markdown page, and the kinds of its tokens."""
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    inline = [child for token in tokens for child in token.children or []]
    kinds = {token.type for token in [*tokens, *inline]}
    return kinds, "".join(child.content for child in inline), tokens


def test_hostile_text_stays_text():
    facts = hostile()
    pages = [manuscript.render(name, MARKDOWN, facts) for name in manuscript.TEXTS]
    pages += [checklists.markdown(checklists.read(name), facts) for name in checklists.NAMES]
    for page in pages:
        kinds, words, _ = rendered(page)
        assert not kinds & {
            "html_block",
            "html_inline",
            "code_inline",
            "link_open",
            "image",
            "fence",
        }
        assert "<script" not in page
        headings = [line for line in page.splitlines() if line.startswith("#")]
        assert not any("script" in line for line in headings)
    assert EVIL.replace("\n", " ") in rendered(pages[0])[1]
    for name in manuscript.TEXTS:
        check_latex(manuscript.render(name, LATEX, facts))


def test_a_checklist_stays_one_table():
    for name in checklists.NAMES:
        checklist = checklists.read(name)
        *_, tokens = rendered(checklists.markdown(checklist, hostile()))
        rows = sum(token.type == "tr_open" for token in tokens)
        cells = sum(token.type in ("td_open", "th_open") for token in tokens)
        assert rows == len(checklist["items"]) + 1
        assert cells == 5 * rows


@pytest.mark.parametrize("name", checklists.NAMES)
def test_checklists_are_complete(name):
    items = checklists.read(name)["items"]
    assert len(items) == PUBLISHED[name]
    numbers = [str(item["item"]) for item in items]
    assert len(set(numbers)) == len(numbers)
    whole = {"tripod_ai": 27, "claim": 44, "metrics": 30}[name]
    assert [*dict.fromkeys(int(re.match(r"\d+", n)[0]) for n in numbers)] == [*range(1, whole + 1)]
    if name == "metrics":
        assert len({item["section"] for item in items}) == 9


@pytest.mark.parametrize("name", checklists.NAMES)
def test_every_item_is_answered_or_the_authors(name):
    places = {
        f"{text.title()}, {heading}"
        for text in manuscript.TEXTS
        for heading in re.findall(
            r'heading\("(.*?)"\)',
            (ROOT / f"hepatoclr/reporting/manuscript/templates/{text}.j2").read_text(),
        )
    } | {"manuscript folder", "tables folder", "explanations folder"}
    for item in checklists.read(name)["items"]:
        assert ("answer" in item) != (item.get("author") is True)
        assert ("answer" in item) == ("where" in item)
        assert item["asks"]
        assert item.get("where", "tables folder") in places


@pytest.mark.parametrize("make", [known, external])
@pytest.mark.parametrize("name", checklists.NAMES)
def test_the_answered_are_counted(name, make):
    checklist = checklists.read(name)
    lines = checklists.lines(checklist, make())
    page = checklists.markdown(checklist, make())
    answered = [line for line in lines if line.where != checklists.AUTHOR]
    assert f"{len(answered)} of {len(lines)} items answered by the run" in page
    assert 0 < len(answered) < len(lines)
    assert all(line.answer for line in answered)
    assert page.count(f"| {checklists.AUTHOR} |") == len(lines) - len(answered)
    if name == "metrics":
        assert all(line.answer.startswith(("Yes.", "No.", "Not applicable.")) for line in answered)


@pytest.mark.parametrize(
    ("name", "item", "simulated", "own"),
    [
        (
            "metrics",
            "4",
            "No. The cohort is simulated.",
            "Yes. Sites in the manifests: 0 in radio, 2",
        ),
        ("metrics", "9", "Not applicable.", "No. Masks were checked against plausibility limits"),
        ("metrics", "10", "", "Yes. All masks come from the automated tool."),
        (
            "metrics",
            "27",
            "No. There was no external",
            "No. The models were applied to other",
        ),
        ("claim", "14", "Labels are simulated.", ""),
        (
            "claim",
            "33",
            "Not met: there was no",
            "Not met: the models were applied to other",
        ),
        ("tripod_ai", "9c", "", "None: the liver was segmented automatically."),
        ("tripod_ai", "20c", "Not applicable within the run", ""),
    ],
)
def test_answers_differ_where_runs_do(name, item, simulated, own):
    for facts, expected in ((known(), simulated), (external(), own)):
        line = {line.item: line for line in checklists.lines(checklists.read(name), facts)}[item]
        assert line.answer.startswith(expected)
        assert (line.where == checklists.AUTHOR) == (expected == "")


def test_a_leaky_run_does_not_claim_a_proper_partition():
    facts = known({"finetune": {"epoch": "best-on-validation"}})
    lines = {line.item: line for line in checklists.lines(checklists.read("metrics"), facts)}
    assert lines["18"].answer.startswith("No.")
    lines = {line.item: line for line in checklists.lines(checklists.read("claim"), facts)}
    assert "leaky" in lines["26"].answer


def test_a_fact_that_is_missing_is_an_error():
    facts = known()
    del facts["versions"]
    with pytest.raises(Exception, match="'versions' is undefined"):
        manuscript.render("methods", MARKDOWN, facts)
    with pytest.raises(Exception, match="'versions' is undefined"):
        checklists.markdown(checklists.read("claim"), facts)


def test_all_files_are_written(tmp_path):
    manuscript.write(known(), tmp_path)
    checklists.write(known(), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        *("methods.md", "methods.tex", "results.md", "results.tex", "references.bib"),
        *("checklist_tripod_ai.md", "checklist_claim.md", "checklist_metrics.md"),
    }
