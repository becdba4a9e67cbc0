rule figures:
    """Draw what the tables say, and the curves of the predictions."""
    input:
        predictions=predictions(),
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
    conda:
        "../envs/hepatoclr.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        *code("figures"),
        methods=encoders.by_method(**section("experiment", "methods", "beta")),
        disclaimers=DISCLAIMERS,
    message:
        "Drawing the figures"
    script:
        "../scripts/figures.py"


rule preprocessing:
    """Draw what became of one case on its way to the networks."""
    input:
        volume=results(f"volumes/{SHOWN}.nii.gz"),
        liver=results(f"livers/{SHOWN}.nii.gz"),
        slices=results(f"slices/{SHOWN}.csv"),
        tensor=results(f"tensors/{SHOWN}.b2nd"),
    output:
        **figure("preprocessing"),
    log:
        results("logs/preprocessing.log"),
    benchmark:
        results("benchmarks/preprocessing.tsv")
    conda:
        "../envs/hepatoclr.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        *code("preprocessing"),
        window=config["tensors"]["window"],
        synthetic=EVALUATION in SIMULATED,
    message:
        "Drawing the preprocessing of one case"
    script:
        "../scripts/preprocessing.py"
