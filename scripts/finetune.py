from hepatoclr.base import files, logs
from hepatoclr.cohorts import cohort_table
from hepatoclr.learning import finetune

with logs.to_file(snakemake.log[0]):
    caches = cohort_table.caches([snakemake.input.cohort], snakemake.input.tensors)
    finetune.run(
        snakemake.params.encoder,
        snakemake.input.encoder,
        snakemake.input.cohort,
        caches,
        files.keys(caches),
        snakemake.input.split,
        snakemake.params.folds,
        snakemake.output[0],
        fraction=snakemake.params.fraction,
        **snakemake.params.training,
        seed=snakemake.params.seed,
        threads=snakemake.threads,
        memory_mb=snakemake.resources.mem_mb,
    )
