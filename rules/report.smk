REPORTED_TABLES = [*TABLES, *EXTERNAL_TABLES, "separability", *CSV_TABLES]
CAPTIONS = sorted(f"rules/captions/{path.name}" for path in (ROOT / "rules/captions").glob("*"))
REPORTED_FIGURES = [
    *FIGURES,
    *("feature_space_pca", "feature_space_umap"),
    *expand("explanations_{encoder}", encoder=EXPLAINED),
]


rule report:
    """Put tables and figures on one page."""
    input:
        tables=[results(f"tables/{name}.csv") for name in REPORTED_TABLES],
        figures=expand(results("figures/{figure}.svg"), figure=REPORTED_FIGURES),
        cohorts=expand(results("cohorts/{cohort}.csv"), cohort=COHORTS),
        predictions=PREDICTIONS,
    output:
        captioned("report.html", "report", "Report"),
    log:
        results("logs/report.log"),
    benchmark:
        results("benchmarks/report.tsv")
    params:
        code=code("report", "hepatoclr/reporting/templates/report.html.j2", *CAPTIONS),
        run=config["run"],
        tables=REPORTED_TABLES,
        figures=REPORTED_FIGURES,
        cohorts=list(COHORTS),
        evaluation=EVALUATION,
        settings={key: config[key] for key in config if key != "cohorts"},
    script:
        "../scripts/report.py"
