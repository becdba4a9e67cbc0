from hepatoclr.base import logs
from hepatoclr.cohorts import cohort_table, leakage

with logs.to_file(snakemake.log[0]):
    tables = map(cohort_table.read, snakemake.input.cohorts)
    leakage.run(dict(zip(snakemake.params.cohorts, tables, strict=True)), {}, snakemake.output[0])
