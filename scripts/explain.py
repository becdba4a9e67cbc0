from hepatoclr.base import logs
from hepatoclr.interpretation import explain

with logs.to_file(snakemake.log[0]):
    explain.run(
        snakemake.wildcards.encoder,
        snakemake.input.encoder,
        snakemake.input.predictions,
        snakemake.input.features,
        snakemake.input.split,
        snakemake.input,
        snakemake.output.table,
        [snakemake.output.figure, snakemake.output.png],
        network=snakemake.params.network,
        window=snakemake.params.window,
        settings=snakemake.params.settings,
        threshold=snakemake.params.threshold,
        seed=snakemake.params.seed,
        disclaimers=snakemake.params.disclaimers,
        threads=snakemake.threads,
    )
