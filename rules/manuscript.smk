# Tables the text is written from.
TOLD = [*TABLES, "agreement", "shortcuts", "separability"]
PROSE = [
    *(f"hepatoclr/reporting/templates/{name}.j2" for name in ["methods", "results", "sampling", "checklist"]),
    "hepatoclr/reporting/manuscript/templates/references.bib",
    *(f"hepatoclr/reporting/manuscript/{name}.yaml" for name in ["tripod_ai", "claim", "metrics"]),
]


rule manuscript:
    """Write methods, results and reporting checklists of the run as text for a paper."""
    input:
        cohorts=expand(results("cohorts/{cohort}.csv"), cohort=COHORTS),
        tables=expand(results("tables/{table}.csv"), table=TOLD),
        flow=results("tables/flow.csv"),
        costs=results("tables/cost.csv"),
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
    conda:
        "../envs/hepatoclr.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        *code("manuscript", *PROSE),
        settings={key: config[key] for key in config if key != "cohorts"},
        cohorts=described(),
        tables=TOLD,
        formats=image_formats(),
    message:
        "Writing text for a paper"
    script:
        "../scripts/manuscript.py"
