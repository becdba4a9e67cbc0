rule report:
    """Put tables and figures on one page."""
    input:
        tables=expand(results("tables/{table}.csv"), table=TABLES),
        figures=expand(results("figures/{figure}.svg"), figure=FIGURES),
        cohorts=expand(results("cohorts/{cohort}.csv"), cohort=COHORTS),
        costs=results("tables/cost.csv"),
    output:
        report(results("report.html"), caption="captions/report.rst", category="Report"),
    log:
        results("logs/report.log"),
    benchmark:
        results("benchmarks/report.tsv")
    conda:
        "../envs/hepatoclr.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        *code("report", "hepatoclr/templates/report.html.j2"),
        run=config["run"],
        cohorts=list(COHORTS),
        evaluation=EVALUATION,
        settings={key: config[key] for key in config if key != "cohorts"},
        synthetic=bool(SIMULATED),
    message:
        "Writing the report"
    script:
        "../scripts/report.py"
