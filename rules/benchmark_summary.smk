rule benchmark_summary:
    """Add up what the jobs of the run took, once all of them are done."""
    input:
        tables=[results(f"tables/{name}.csv") for name in [*TABLES, *CSV_TABLES] if name != "cost"],
        figures=expand(results("figures/{figure}.svg"), figure=FIGURES),
        interpretation=INTERPRETATION,
        external=expand(results("tables/{table}.csv"), table=EXTERNAL_TABLES),
        qc=expand(results("qc/{cohort}.html"), cohort=COHORTS),
    output:
        captioned("tables/cost.csv", "cost", "Tables"),
    log:
        results("logs/benchmark_summary.log"),
    benchmark:
        results("benchmarks/benchmark_summary.tsv")
    params:
        code=code("benchmark_summary"),
        run=lambda wildcards, output: Path(output[0]).parents[1].as_posix(),
        # the jobs of several trainings have a number behind the name
        stages=list(dict.fromkeys(re.sub(r"_\d+$", "", rule.name) for rule in workflow.rules)),
    script:
        "../scripts/benchmark_summary.py"
