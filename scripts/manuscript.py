from pathlib import Path

import pandas as pd

from hepatoclr import checklists, cohort, costs, jobs, manuscript, report, tables

with jobs.running(snakemake.log[0], snakemake.input, snakemake.output):
    given, params = snakemake.input, snakemake.params
    known = manuscript.facts(
        params.settings,
        params.cohorts,
        dict(zip(params.cohorts, map(cohort.read, given.cohorts), strict=True)),
        pd.read_csv(given.flow, keep_default_na=False),
        dict(zip(params.tables, map(tables.read, given.tables), strict=True)),
        params.formats,
        report.versions(),
        costs.read(given.costs),
    )
    folder = Path(snakemake.output[0]).parent
    manuscript.write(known, folder)
    checklists.write(known, folder)
