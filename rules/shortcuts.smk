rule shortcuts:
    """Measure how well things that are not the liver predict the label."""
    input:
        cohort=results(f"cohorts/{EVALUATION}.csv"),
        manifest=manifest(EVALUATION),
        splits=expand(results("splits/repeat{repeat}.csv"), repeat=REPEATS),
    output:
        captioned("tables/shortcuts.csv", "shortcuts", "Tables"),
    log:
        results("logs/shortcuts.log"),
    benchmark:
        results("benchmarks/shortcuts.tsv")
    params:
        code=code("shortcuts"),
        aliases=ALIASES,
    script:
        "../scripts/shortcuts.py"
