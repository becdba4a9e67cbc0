from hepatoclr import logs, pretrain

with logs.to_file(snakemake.log[0]):
    pretrain.run(
        snakemake.params.spec,
        snakemake.input.cohorts,
        snakemake.input.tensors,
        **snakemake.params.training,
        threads=snakemake.threads,
        tensorboard=snakemake.params.tensorboard,
        **snakemake.output,
    )
