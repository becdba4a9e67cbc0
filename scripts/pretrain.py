from hepatoclr.base import files, logs
from hepatoclr.cohorts import cohort_table
from hepatoclr.learning import pretrain

if __name__ == "__main__":  # further processes of a training read this file too
    with logs.to_file(snakemake.log[0]):
        caches = cohort_table.caches(snakemake.input.cohorts, snakemake.input.tensors)
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
