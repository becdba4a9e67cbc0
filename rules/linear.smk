rule linear:
    """Predict patients by logistic regression on frozen features, fitted on the other folds."""
    input:
        features=results(f"features/{EVALUATION}/{{encoder}}.parquet"),
        split=split_of,
    output:
        results("predictions/linear/{encoder}/{part}.csv"),
    log:
        results("logs/linear/{encoder}/{part}.log"),
    benchmark:
        results("benchmarks/linear/{encoder}/{part}.tsv")
    conda:
        "../envs/hepatoclr.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        *code("linear"),
        folds=lambda wildcards: PARTS[wildcards.part][1],
        settings=config["linear"],
    message:
        "Linear evaluation of {wildcards.encoder}, {wildcards.part}"
    script:
        "../scripts/linear.py"


rule external:
    """Predict an external cohort by the linear model of the whole evaluation cohort."""
    input:
        features=results(f"features/{EVALUATION}/{{encoder}}.parquet"),
        evaluation=results(f"cohorts/{EVALUATION}.csv"),
        external=results("features/{cohort}/{encoder}.parquet"),
    output:
        results("predictions/linear/{encoder}/external/{cohort}.csv"),
    log:
        results("logs/external/{cohort}/{encoder}.log"),
    benchmark:
        results("benchmarks/external/{cohort}/{encoder}.tsv")
    conda:
        "../envs/hepatoclr.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        *code("external"),
        settings=config["linear"],
    message:
        "Predicting {wildcards.cohort} with {wildcards.encoder}"
    script:
        "../scripts/external.py"
