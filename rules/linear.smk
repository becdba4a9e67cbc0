rule linear:
    """Predict patients by logistic regression on frozen features, fitted on the other folds.

    Once with the paper's fixed C, once with C and threshold chosen inside the training folds, and
    once more with features scaled where the first has them as they are, or the other way round.
    """
    input:
        features=results(f"features/{EVALUATION}/{{encoder}}/seed{{seed}}.parquet"),
        split=split_of,
        leakage=LEAKAGE,
    output:
        fixed=results("predictions/linear/{encoder}/seed{seed}/{split}.csv"),
        nested=results("predictions/linear_nested/{encoder}/seed{seed}/{split}.csv"),
        beside=results(f"predictions/{BESIDE}/{{encoder}}/seed{{seed}}/{{split}}.csv"),
        models=results("models/folds/{encoder}/seed{seed}/{split}.json"),
    log:
        results("logs/linear/{encoder}/seed{seed}/{split}.log"),
    benchmark:
        results("benchmarks/linear/{encoder}/seed{seed}/{split}.tsv")
    params:
        code=code("linear"),
        folds=lambda wildcards: SPLITS[wildcards.split][1],
        settings=config["linear"],
    script:
        "../scripts/linear.py"
