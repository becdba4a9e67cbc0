from hepatoclr import cohort, logs, pretrain

if __name__ == "__main__":  # further processes of a training read this file too
    with logs.to_file(snakemake.log[0]):
        pretrain.Pretraining(
            snakemake.params.spec,
            snakemake.input.cohorts,
            cohort.caches(snakemake.input.cohorts, snakemake.params.tensors),
            **snakemake.params.training,
            seed=snakemake.params.seed,
            threads=snakemake.threads,
            memory_mb=snakemake.resources.mem_mb,
            tensorboard=snakemake.params.tensorboard,
            **snakemake.output,
        ).run()
