from hepatoclr import jobs, linear

with jobs.running(snakemake.log[0], snakemake.input, snakemake.output):
    linear.apply(
        snakemake.wildcards.encoder,
        snakemake.input.features,
        snakemake.input.evaluation,
        snakemake.input.external,
        snakemake.output[0],
        snakemake.params.settings,
    )
