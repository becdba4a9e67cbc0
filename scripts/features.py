from hepatoclr import cohort, features, logs

with logs.to_file(snakemake.log[0]):
    features.run(
        snakemake.input.encoder,
        snakemake.input.cohort,
        cohort.caches([snakemake.input.cohort], [snakemake.params.tensors]),
        snakemake.output[0],
        window=snakemake.params.window,
        network=snakemake.params.network,
        device=snakemake.params.device,
        threads=snakemake.threads,
    )
