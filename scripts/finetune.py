from hepatoclr import cohort, files, finetune, jobs

with jobs.running(snakemake.log[0], snakemake.input, snakemake.output):
    caches = cohort.caches([snakemake.input.cohort], [snakemake.params.tensors])
    finetune.run(
        snakemake.params.encoder,
        snakemake.input.encoder,
        snakemake.input.cohort,
        caches,
        files.keys(caches),
        snakemake.input.split,
        snakemake.params.folds,
        snakemake.output[0],
        fraction=snakemake.params.fraction,
        **snakemake.params.training,
        seed=snakemake.params.seed,
        threads=snakemake.threads,
        memory_mb=snakemake.resources.mem_mb,
    )
