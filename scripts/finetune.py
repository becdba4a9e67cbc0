from hepatoclr.base import logs
from hepatoclr.cohorts import cohort_table
from hepatoclr.learning import finetune

with logs.to_file(snakemake.log[0]):
    finetune.FineTuning(
        encoder=snakemake.params.encoder,
        weights=snakemake.input.encoder,
        table=snakemake.input.cohort,
        caches=cohort_table.caches([snakemake.input.cohort], snakemake.input.tensors),
        split=snakemake.input.split,
        folds=snakemake.params.folds,
        code=snakemake.params.code,
        fraction=snakemake.params.fraction,
        **snakemake.params.training,
        seed=snakemake.params.seed,
        threads=snakemake.threads,
        memory_mb=snakemake.resources.mem_mb,
        **snakemake.output,
    ).run()
