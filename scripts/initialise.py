from hepatoclr import backbone, jobs

with jobs.running(snakemake.log[0], snakemake.input, snakemake.output):
    network = backbone.initialise(snakemake.params.seed, **snakemake.params.network)
    backbone.write(network, snakemake.output[0])
