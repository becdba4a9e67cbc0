from hepatoclr.base import logs
from hepatoclr.cohorts import cohort_table
from hepatoclr.learning import pretrain

if __name__ == "__main__":  # further processes of a training read this file too
    with logs.to_file(snakemake.log[0]):
        pretrain.Pretraining(
            spec=snakemake.params.spec,
            cohorts=snakemake.input.cohorts,
            caches=cohort_table.caches(snakemake.input.cohorts, snakemake.input.tensors),
            code=snakemake.params.code,
            **snakemake.params.training,
            seed=snakemake.params.seed,
            threads=snakemake.threads,
            memory_mb=snakemake.resources.mem_mb,
            logs=snakemake.params.logs,
            **snakemake.output,
        ).run()
