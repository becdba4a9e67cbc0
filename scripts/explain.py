from hepatoclr.base import logs
from hepatoclr.interpretation import explain

with logs.to_file(snakemake.log[0]):
    explain.run(
        snakemake.wildcards.encoder,
        snakemake.input.encoder,
        snakemake.input.predictions,
        snakemake.input.features,
        snakemake.input.split,
        snakemake.params.folders,
        {},
        snakemake.output.table,
        [snakemake.output.figure, snakemake.output.png],
        **snakemake.params.settings,
        threads=snakemake.threads,
    )
