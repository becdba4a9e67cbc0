MANUSCRIPT_TABLES = [*TABLES, *EXTERNAL_TABLES[:2], "agreement", "baselines", "separability"]
TEMPLATES = [
    *(
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "hepatoclr/reporting/manuscript").glob("templates/*")
    ),
    *(
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "hepatoclr/reporting/manuscript").glob("*.yaml")
    ),
]


rule manuscript:
    """Write methods, results and reporting checklists of the run as text for a paper."""
    input:
        cohorts=expand(results("cohorts/{cohort}.csv"), cohort=COHORTS),
        tables=expand(results("tables/{table}.csv"), table=MANUSCRIPT_TABLES),
        flow=results("tables/patient_flow.csv"),
        trainings=expand(
            results("encoders/{encoder}/{seed}/metadata.json"), encoder=ENCODERS, seed=SEEDS
        ),
    output:
        expand(
            results("manuscript/{text}"),
            text=[
                *("methods.md", "methods.tex", "results.md", "results.tex", "references.bib"),
                *("checklist_tripod_ai.md", "checklist_claim.md", "checklist_metrics.md"),
            ],
        ),
    log:
        results("logs/manuscript.log"),
    benchmark:
        results("benchmarks/manuscript.tsv")
    params:
        code=code("manuscript", *sorted(TEMPLATES)),
        settings={key: config[key] for key in config if key != "cohorts"},
        origins=settings.origins(config, SCHEMAS["config"]),
        cohorts={
            cohort: {
                "role": given["role"],
                "labels": given["labels"],
                "checks": {
                    key: settings.one_line(value) for key, value in given.get("checks", {}).items()
                },
                "synthetic": cohort in SIMULATED,
            }
            for cohort, given in config["cohorts"].items()
        },
        tables=MANUSCRIPT_TABLES,
        formats=manifests.image_formats(COHORTS),
    script:
        "../scripts/manuscript.py"
