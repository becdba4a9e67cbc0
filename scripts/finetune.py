from hepatoclr import finetune, logs

with logs.to_file(snakemake.log[0]):
    finetune.run(
        snakemake.params.encoder,
        snakemake.input.encoder,
        snakemake.input.cohort,
        snakemake.input.tensors,
        snakemake.input.split,
        snakemake.params.folds,
        snakemake.output[0],
        fraction=snakemake.params.fraction,
        **snakemake.params.training,
        threads=snakemake.threads,
        memory_mb=snakemake.resources.mem_mb,
    )
