from hepatoclr import batches, cohort, files, jobs, pretrain

if __name__ == "__main__":  # further processes of a training read this file too
    with jobs.running(snakemake.log[0], snakemake.input, snakemake.output):
        tables = snakemake.input.tensors
        caches = cohort.caches(snakemake.input.cohorts, snakemake.params.tensors)
        files.check(caches, batches.digests(tables))
        pretrain.Pretraining(
            snakemake.params.spec,
            snakemake.input.cohorts,
            caches,
            batches.keys(tables),
            **snakemake.params.training,
            seed=snakemake.params.seed,
            threads=snakemake.threads,
            memory_mb=snakemake.resources.mem_mb,
            tensorboard=snakemake.params.tensorboard,
            **snakemake.output,
        ).run()
