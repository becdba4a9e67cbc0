from hepatoclr.base import logs
from hepatoclr.learning import linear

with logs.to_file(snakemake.log[0]):
    linear.cross_validate(
        snakemake.wildcards.encoder,
        int(snakemake.wildcards.seed),
        snakemake.input.features,
        snakemake.input.split,
        snakemake.params.folds,
        snakemake.params.settings,
        snakemake.output.fixed,
        snakemake.output.nested,
        snakemake.output.beside,
        snakemake.output.models,
    )
