from pathlib import Path

from hepatoclr.base import logs
from hepatoclr.cohorts import cohort_table, leakage
from hepatoclr.learning import linear

with logs.to_file(snakemake.log[0]):
    tables = [*snakemake.input.studied, snakemake.input.cohort]
    leakage.check({Path(table).stem: cohort_table.read(table) for table in tables}, {})
    linear.apply(
        snakemake.wildcards.encoder,
        snakemake.input.features,
        snakemake.input.evaluation,
        snakemake.input.external,
        snakemake.input.cohort,
        snakemake.output[0],
        snakemake.params.settings,
    )
