from hepatoclr.base import logs
from hepatoclr.reporting import costs

with logs.to_file(snakemake.log[0]):
    table = costs.table(snakemake.params.run, snakemake.params.stages)
    costs.write(table, snakemake.output[0])
