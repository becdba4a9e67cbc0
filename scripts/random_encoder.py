from hepatoclr.base import logs
from hepatoclr.learning import backbone

with logs.to_file(snakemake.log[0]):
    network = backbone.initialise(snakemake.params.seed, **snakemake.params.network)
    backbone.write(network, snakemake.output[0])
