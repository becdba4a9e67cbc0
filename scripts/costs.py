from hepatoclr import costs, logs

with logs.to_file(snakemake.log[0]):
    table = costs.table(snakemake.params.run, snakemake.params.stages)
    costs.write(table, snakemake.output[0])
