from hepatoclr.base import logs
from hepatoclr.cohorts import cohort_table
from hepatoclr.learning import pretrain

if __name__ == "__main__":  # further processes of a training read this file too
    with logs.to_file(snakemake.log[0]):
        caches = cohort_table.caches(snakemake.input.cohorts, snakemake.input.tensors)
        for number, spec in enumerate(snakemake.params.specs):
            pretrain.Pretraining(
                spec=spec,
                cohorts=snakemake.input.cohorts,
                caches=caches,
                code=snakemake.params.code[number],
                **snakemake.params.training,
                seed=snakemake.params.seed,
                threads=snakemake.threads,
                memory_mb=snakemake.resources.mem_mb,
                logs=snakemake.params.logs[number],
                **{name: paths[number] for name, paths in snakemake.output.items()},
            ).run()
