rule leakage:
    """Look for leakage between the cohorts and in the splits, before anything is trained."""
    input:
        cohorts=expand(results("cohorts/{cohort}.csv"), cohort=COHORTS),
        splits=expand(results("splits/repeat{repeat}.csv"), repeat=REPEATS),
    output:
        captioned("tables/leakage.csv", "leakage", "Tables"),
    log:
        results("logs/leakage.log"),
    benchmark:
        results("benchmarks/leakage.tsv")
    params:
        code=code("leakage"),
        cohorts=list(COHORTS),
        splits=expand("repeat{repeat}", repeat=REPEATS),
    script:
        "../scripts/leakage.py"
