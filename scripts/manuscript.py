from pathlib import Path

from hepatoclr.base import files, logs
from hepatoclr.cohorts import cohort_table
from hepatoclr.reporting import report
from hepatoclr.reporting.manuscript import checklists, manuscript
from hepatoclr.reporting.tables import tables

with logs.to_file(snakemake.log[0]):
    given, params = snakemake.input, snakemake.params
    known = manuscript.facts(
        params.settings,
        params.origins,
        params.cohorts,
        dict(zip(params.cohorts, map(cohort_table.read, given.cohorts), strict=True)),
        files.read_csv(given.flow, keep_default_na=False),
        dict(zip(params.tables, map(tables.read, given.tables), strict=True)),
        params.formats,
        report.versions(),
        list(map(files.read_json, given.trainings)),
    )
    folder = Path(snakemake.output[0]).parent
    manuscript.write(known, folder)
    checklists.write(known, folder)
