from hepatoclr.base import files, logs
from hepatoclr.reporting import benchmark_summary

with logs.to_file(snakemake.log[0]):
    table = benchmark_summary.table(snakemake.params.run, snakemake.params.stages)
    files.write_csv(table, snakemake.output[0])
