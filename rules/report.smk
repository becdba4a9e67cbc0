# What stands on the page; `SECTIONS` of hepatoclr/reporting/report.py says where and with which words.
PAGE_TABLES = {name: results(f"tables/{name}.csv") for name in [*TABLES, "separability", *LISTS]}
PAGE_FIGURES = [
    *FIGURES,
    *("feature_space_pca", "feature_space_umap"),
    *expand("explanations_{encoder}", encoder=EXPLAINED),
]


rule report:
    """Put tables and figures on one page."""
    input:
        tables=PAGE_TABLES.values(),
        figures=expand(results("figures/{figure}.svg"), figure=PAGE_FIGURES),
        cohorts=expand(results("cohorts/{cohort}.csv"), cohort=COHORTS),
        predictions=predictions(),
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
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        *code("report", "hepatoclr/reporting/templates/report.html.j2"),
        run=config["run"],
        tables=list(PAGE_TABLES),
        figures=PAGE_FIGURES,
        cohorts=list(COHORTS),
        evaluation=EVALUATION,
        synthetic=bool(SIMULATED),
        settings={key: config[key] for key in config if key != "cohorts"},
    message:
        "Writing the report"
    script:
        "../scripts/report.py"
