EXAMPLE_CASE = f"{EVALUATION}/{COHORTS[EVALUATION][0].case}"  # whose preprocessing is drawn


rule figures:
    """Draw what the tables say, and the curves of the predictions."""
    input:
        predictions=PREDICTIONS,
        table1=results("tables/table1.csv"),
        table2=results("tables/table2.csv"),
        learning_curve=results("tables/learning_curve.csv"),
        measures=results("tables/measures.csv"),
        comparisons=results("tables/comparisons.csv"),
    output:
        **figure("roc"),
        **figure("comparisons"),
        **figure("calibration"),
        **figure("decision_curve"),
        **figure("beta"),
        **figure("learning_curve"),
    log:
        results("logs/figures.log"),
    benchmark:
        results("benchmarks/figures.tsv")
    params:
        code=code("figures"),
        methods=METHODS,
        disclaimers=DISCLAIMERS,
    script:
        "../scripts/figures.py"


rule preprocessing:
    """Draw what became of one case on its way to the networks."""
    input:
        volume=results(f"volumes/{EXAMPLE_CASE}.nii.gz"),
        liver=results(f"livers/{EXAMPLE_CASE}.nii.gz"),
        slices=results(f"slices/{EXAMPLE_CASE}.csv"),
        tensor=results(f"tensors/{EXAMPLE_CASE}.b2nd"),
    output:
        **figure("preprocessing"),
    log:
        results("logs/preprocessing.log"),
    benchmark:
        results("benchmarks/preprocessing.tsv")
    params:
        code=code("preprocessing"),
        window=config["tensors"]["window"],
        synthetic=EVALUATION in SIMULATED,
    script:
        "../scripts/preprocessing.py"


rule diagrams:
    """Draw the network and its pretraining as they are set: the paper's Figures 1 and 3."""
    output:
        **figure("network"),
        **figure("strategy"),
    log:
        results("logs/diagrams.log"),
    benchmark:
        results("benchmarks/diagrams.tsv")
    params:
        code=code("diagrams"),
        size=config["tensors"]["size"],
        network=config["network"],
        encoders=experiment.pretrained(**section("experiment", "methods", "beta"), betas=[]),
        augmentation=config["augmentation"],
        temperature=config["pretraining"]["temperature"],
    script:
        "../scripts/diagrams.py"
