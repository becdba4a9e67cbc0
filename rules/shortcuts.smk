rule shortcuts:
    """Measure how well things that are not the liver tell the label."""
    input:
        cohort=results(f"cohorts/{EVALUATION}.csv"),
        manifest=manifest(EVALUATION),
        splits=expand(results("splits/repeat{repeat}.csv"), repeat=REPEATS),
    output:
        report(results("tables/shortcuts.csv"), caption="captions/shortcuts.rst", category="Tables"),
    log:
        results("logs/shortcuts.log"),
    benchmark:
        results("benchmarks/shortcuts.tsv")
    conda:
        "../envs/hepatoclr.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        *code("shortcuts"),
        schema=schema("cohort"),
        synthetic=EVALUATION in SIMULATED,
        permuted=config["evaluation"]["permute"],
    message:
        "Measuring what else tells the label"
    script:
        "../scripts/shortcuts.py"
