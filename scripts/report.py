from hepatoclr import cohort, files, jobs, report

with jobs.running(snakemake.log[0], snakemake.input, snakemake.output):
    given, params = snakemake.input, snakemake.params
    cohorts = dict(zip(params.cohorts, map(cohort.read, given.cohorts), strict=True))
    facts = {
        "settings": params.settings,
        "versions": report.versions(),
        "provenance": report.provenance(params.settings, given.predictions),
    }
    page = report.html(
        params.run,
        dict(zip(params.tables, given.tables, strict=True)) | {"cohorts": report.quality(cohorts)},
        dict(zip(params.figures, given.figures, strict=True)),
        facts,
        cohort.counts(cohorts[params.evaluation]),
        {name: f"qc/{name}.html" for name in cohorts},
    )
    files.write_text(page, snakemake.output[0])
