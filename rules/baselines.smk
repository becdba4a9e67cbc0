rule baselines:
    """Measure what else tells the label, and what the best image method adds to it."""
    input:
        cohort=results(f"cohorts/{EVALUATION}.csv"),
        manifest=manifest(EVALUATION),
        external=expand(results("cohorts/{cohort}.csv"), cohort=EXTERNAL),
        manifests=list(map(manifest, EXTERNAL)),
        splits=expand(results("splits/repeat{repeat}.csv"), repeat=REPEATS),
        predictions=expand(
            results("predictions/linear/{encoder}/{seed}/{split}.csv"),
            encoder=METHODS.values(),
            seed=SEEDS,
            split=SPLITS,
        ),
        trainings=expand(
            results("encoders/{encoder}/{seed}/metadata.json"),
            encoder=[encoder for encoder in METHODS.values() if encoder in ENCODERS],
            seed=SEEDS,
        ),
    output:
        **table("baselines"),
    log:
        results("logs/baselines.log"),
    benchmark:
        results("benchmarks/baselines.tsv")
    params:
        code=code("baselines"),
        aliases=ALIASES,
        external=EXTERNAL,
        covariates=config["covariates"],
        disclaimers=DISCLAIMERS,
    script:
        "../scripts/baselines.py"
