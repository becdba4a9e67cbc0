# What a reviewer would check of a run, by kind; `hepatoclr verify` checks it from the folder alone.
ARCHIVED = {
    "cohorts": expand(results("cohorts/{cohort}.csv"), cohort=COHORTS),
    "splits": expand(results("splits/repeat{repeat}.csv"), repeat=REPEATS),
    "encoders": expand(
        results("encoders/{encoder}/{seed}/encoder.safetensors"), encoder=EVALUATED, seed=SEEDS
    ),
    "metadata": TRAININGS,
    "predictions": PREDICTIONS,
    "models": FINAL_MODELS,
    "external": EXTERNAL_PREDICTIONS,
    "tables": [
        *expand(
            results("tables/{table}.{format}"),
            table=[*TABLES, "separability"],
            format=["csv", "md", "tex"],
        ),
        *expand(
            results("tables/{table}.{format}"),
            table=["baselines", *["external"] * bool(EXTERNAL)],
            format=["md", "tex"],
        ),
        *expand(results("tables/{table}.csv"), table=["neighbours", *CSV_TABLES, *EXTERNAL_TABLES]),
    ],
    "figures": rules.report.input.figures,
    "manuscript": rules.manuscript.output,
}
PINS = "envs/requirements.txt"
SOURCES = [
    *sorted(f"scripts/{path.name}" for path in (ROOT / "scripts").glob("*.py")),
    *sorted({f"hepatoclr/learning/methods/{spec['method']}.py" for spec in ENCODERS.values()}),
    BACKEND,
]


rule provenance:
    """Write down what the run was made of, and a digest of each result: the last job."""
    input:
        **ARCHIVED,
        manifests=[manifest(cohort) for cohort in COHORTS],
        trainings=TRAININGS,
    output:
        results("provenance.json"),
    log:
        results("logs/provenance.log"),
    benchmark:
        results("benchmarks/provenance.tsv")
    params:
        code=fingerprint.reached(ROOT, *SOURCES, PINS),
        kinds=list(ARCHIVED),
        cohorts=list(COHORTS),
        settings=config,
        disclaimers=DISCLAIMERS,
        sources=SOURCES,
        pins=PINS,
    script:
        "../scripts/provenance.py"


TARGETS = [
    list(ARCHIVED.values()),
    expand(results("figures/{figure}.{format}"), figure=FIGURES, format=["svg", "png"]),
    INTERPRETATION,
    results("report.html"),
    results("provenance.json"),
]
