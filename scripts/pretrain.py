from hepatoclr import cohort, files, jobs, pretrain

if __name__ == "__main__":  # further processes of a training read this file too
    with jobs.running(snakemake.log[0], snakemake.input, snakemake.output):
        caches = cohort.caches(snakemake.input.cohorts, snakemake.params.tensors)
        pretrain.Pretraining(
            snakemake.params.spec,
            snakemake.input.cohorts,
            caches,
            files.keys(caches),
            **snakemake.params.training,
            seed=snakemake.params.seed,
            threads=snakemake.threads,
            memory_mb=snakemake.resources.mem_mb,
            tensorboard=snakemake.params.tensorboard,
            **snakemake.output,
        ).run()
