from hepatoclr.base import files, logs
from hepatoclr.cohorts import cohort_table
from hepatoclr.reporting import report

with logs.to_file(snakemake.log[0]):
    given, params = snakemake.input, snakemake.params
    cohorts = dict(zip(params.cohorts, map(cohort_table.read, given.cohorts), strict=True))
    facts = {
        "settings": params.settings,
        "versions": report.versions(),
        "provenance": report.provenance(params.settings, given.predictions),
    }
    page = report.render_page(
        params.run,
        dict(zip(params.tables, given.tables, strict=True)) | {"cohorts": report.quality(cohorts)},
        dict(zip(params.figures, given.figures, strict=True)),
        facts,
        cohort_table.counts(cohorts[params.evaluation]),
        {name: f"qc/{name}.html" for name in cohorts},
    )
    files.write_text(page, snakemake.output[0])
