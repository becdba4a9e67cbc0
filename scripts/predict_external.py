from hepatoclr.base import logs
from hepatoclr.learning import linear

with logs.to_file(snakemake.log[0]):
    linear.apply(
        snakemake.wildcards.encoder,
        snakemake.input.features,
        snakemake.input.evaluation,
        snakemake.input.external,
        snakemake.output[0],
        snakemake.params.settings,
    )
