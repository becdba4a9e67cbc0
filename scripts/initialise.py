from hepatoclr import backbone, logs

with logs.to_file(snakemake.log[0]):
    network = backbone.initialise(snakemake.params.seed, **snakemake.params.network)
    backbone.write(network, snakemake.output[0])
