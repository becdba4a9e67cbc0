rule report:
    """Put tables and figures on one page."""
    input:
        tables=expand(results("tables/{table}.csv"), table=["table1", "table2", "learning_curve"]),
        figures=expand(results("figures/{figure}.svg"), figure=FIGURES),
        cohorts=expand(results("cohorts/{cohort}.csv"), cohort=COHORTS),
    output:
        report(results("report.html"), caption="captions/report.rst", category="Report"),
    log:
        results("logs/report.log"),
    benchmark:
        results("benchmarks/report.tsv")
    conda:
        "../envs/hepatoclr.yaml"
    message:
        "Writing the report"
    params:
        run=config["run"],
        settings=config,
        synthetic=bool(SIMULATED),
        code=code("report", "hepatoclr/templates/report.html.j2"),
    script:
        "../scripts/report.py"
