from hepatoclr.base import files, logs
from hepatoclr.cohorts import cohort_table
from hepatoclr.stats import agreement

with logs.to_file(snakemake.log[0]):
    labels = agreement.both(cohort_table.read(snakemake.input[0]), snakemake.params.meanings)
    files.write_csv(agreement.table(labels).round(6), snakemake.output[0])
