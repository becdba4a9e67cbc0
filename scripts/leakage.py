from hepatoclr.base import logs
from hepatoclr.cohorts import classes, cohort_table, leakage, splits

with logs.to_file(snakemake.log[0]):
    classes.check(snakemake.input.cohorts, 1)
    cohorts = map(cohort_table.read, snakemake.input.cohorts)
    found = map(splits.read, snakemake.input.splits)
    leakage.run(
        dict(zip(snakemake.params.cohorts, cohorts, strict=True)),
        dict(zip(snakemake.params.splits, found, strict=True)),
        snakemake.output[0],
    )
