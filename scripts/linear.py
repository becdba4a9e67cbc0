from hepatoclr import jobs, linear

with jobs.running(snakemake.log[0], snakemake.input, snakemake.output):
    linear.cross_validate(
        snakemake.wildcards.encoder,
        int(snakemake.wildcards.seed),
        snakemake.input.features,
        snakemake.input.split,
        snakemake.params.folds,
        snakemake.params.settings,
        snakemake.output.fixed,
        snakemake.output.nested,
    )
