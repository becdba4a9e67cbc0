from hepatoclr import cohort, costs, files, logs, report

TABLES = ["Pretraining methods", "Weight of the weak label", "Learning curve"]
FIGURES = [
    *("Flow of patients", "From CT to tensor", "ROC curves"),
    *("Weight of the weak label", "Learning curve"),
]

with logs.to_file(snakemake.log[0]):
    tables = zip(TABLES, snakemake.input.tables, strict=True)
    figures = zip(FIGURES, snakemake.input.figures, strict=True)
    cohorts = zip(snakemake.params.cohorts, snakemake.input.cohorts, strict=True)
    facts = {
        "Cohorts": {name: cohort.counts(cohort.read(path)) for name, path in cohorts},
        "Settings": snakemake.params.settings,
        "Versions": report.versions(),
    }
    counts = facts["Cohorts"][snakemake.params.evaluation]
    page = report.html(
        snakemake.params.run,
        dict(tables),
        dict(figures),
        facts,
        snakemake.params.synthetic,
        counts,
        costs.read(snakemake.input.costs),
    )
    files.write_text(page, snakemake.output[0])
