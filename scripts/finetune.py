from hepatoclr import cohort, finetune, logs

with logs.to_file(snakemake.log[0]):
    finetune.run(
        snakemake.params.encoder,
        snakemake.input.encoder,
        snakemake.input.cohort,
        cohort.caches([snakemake.input.cohort], [snakemake.params.tensors]),
        snakemake.input.split,
        snakemake.params.folds,
        snakemake.output[0],
        fraction=snakemake.params.fraction,
        **snakemake.params.training,
        seed=snakemake.params.seed,
        threads=snakemake.threads,
        memory_mb=snakemake.resources.mem_mb,
    )
