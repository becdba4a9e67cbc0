rule linear:
    """Predict patients by logistic regression on frozen features, fitted on the other folds.

    Once with the paper's fixed C and threshold, once with both chosen inside the training folds.
    """
    input:
        features=results(f"features/{EVALUATION}/{{encoder}}/seed{{seed}}.parquet"),
        split=split_of,
        guards=ancient(GUARDS),
    output:
        fixed=results("predictions/linear/{encoder}/seed{seed}/{part}.csv"),
        nested=results("predictions/linear_nested/{encoder}/seed{seed}/{part}.csv"),
    log:
        results("logs/linear/{encoder}/seed{seed}/{part}.log"),
    benchmark:
        results("benchmarks/linear/{encoder}/seed{seed}/{part}.tsv")
    conda:
        "../envs/hepatoclr.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        *code("linear"),
        folds=lambda wildcards: PARTS[wildcards.part][1],
        settings=config["linear"],
    message:
        "Linear evaluation of {wildcards.encoder}, seed {wildcards.seed}, {wildcards.part}"
    script:
        "../scripts/linear.py"


rule external:
    """Predict an external cohort by the linear model of the whole evaluation cohort."""
    input:
        features=results(f"features/{EVALUATION}/{{encoder}}/seed{{seed}}.parquet"),
        evaluation=results(f"cohorts/{EVALUATION}.csv"),
        external=results("features/{cohort}/{encoder}/seed{seed}.parquet"),
        guards=ancient(GUARDS),
    output:
        results("predictions/linear/{encoder}/seed{seed}/external/{cohort}.csv"),
    log:
        results("logs/external/{cohort}/{encoder}/seed{seed}.log"),
    benchmark:
        results("benchmarks/external/{cohort}/{encoder}/seed{seed}.tsv")
    conda:
        "../envs/hepatoclr.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        *code("external"),
        settings=config["linear"],
    message:
        "Predicting {wildcards.cohort} with {wildcards.encoder}, seed {wildcards.seed}"
    script:
        "../scripts/external.py"
