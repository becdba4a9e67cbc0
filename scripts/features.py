from hepatoclr import cohort, features, jobs

with jobs.running(snakemake.log[0], snakemake.input, snakemake.output):
    caches = cohort.caches([snakemake.input.cohort], [snakemake.params.tensors])
    features.run(
        snakemake.input.encoder,
        snakemake.input.cohort,
        caches,
        snakemake.output[0],
        window=snakemake.params.window,
        network=snakemake.params.network,
        device=snakemake.params.device,
        threads=snakemake.threads,
    )
