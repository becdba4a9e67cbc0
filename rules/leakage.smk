rule leakage:
    """See that both classes are left, and no leak between cohorts and in splits, before any training."""
    input:
        cohorts=expand(results("cohorts/{cohort}.csv"), cohort=STUDIED),
        splits=expand(results("splits/repeat{repeat}.csv"), repeat=REPEATS),
    output:
        captioned("tables/leakage.csv", "leakage", "Tables"),
    log:
        results("logs/leakage.log"),
    benchmark:
        results("benchmarks/leakage.tsv")
    params:
        code=code("leakage"),
        cohorts=STUDIED,
        splits=expand("repeat{repeat}", repeat=REPEATS),
    script:
        "../scripts/leakage.py"
