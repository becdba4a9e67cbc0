from hepatoclr import costs, jobs

with jobs.running(snakemake.log[0], snakemake.input, snakemake.output):
    table = costs.table(snakemake.params.run, snakemake.params.stages)
    costs.write(table, snakemake.output[0])
