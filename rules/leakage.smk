rule guards:
    """Look for leakage between the cohorts and in the splits, before anything is trained.

    What is trained waits for it, but takes it as ancient: it runs again with every change of a
    cohort, and need not train anything again then.
    """
    input:
        cohorts=expand(results("cohorts/{cohort}.csv"), cohort=COHORTS),
        splits=expand(results("splits/repeat{repeat}.csv"), repeat=REPEATS),
    output:
        report(update(GUARDS), caption="captions/guards.rst", category="Tables"),
    log:
        results("logs/guards.log"),
    benchmark:
        results("benchmarks/guards.tsv")
    conda:
        "../envs/hepatoclr.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        *code("guards"),
        cohorts=list(COHORTS),
        splits=expand("repeat{repeat}", repeat=REPEATS),
        permuted=config["evaluation"]["permute"],
    message:
        "Looking for leakage between cohorts and in the splits"
    script:
        "../scripts/guards.py"
