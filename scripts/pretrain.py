from hepatoclr import logs, pretrain

with logs.to_file(snakemake.log[0]):
    pretrain.Pretraining(
        snakemake.params.spec,
        snakemake.input.cohorts,
        snakemake.input.tensors,
        **snakemake.params.training,
        threads=snakemake.threads,
        memory_mb=snakemake.resources.mem_mb,
        tensorboard=snakemake.params.tensorboard,
        **snakemake.output,
    ).run()
