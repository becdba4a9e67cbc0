from hepatoclr.base import logs
from hepatoclr.cohorts import cohort_table
from hepatoclr.learning import finetune

with logs.to_file(snakemake.log[0]):
    caches = cohort_table.caches([snakemake.input.cohort], snakemake.input.tensors)
    for number, encoder in enumerate(snakemake.input.encoders):
        finetune.FineTuning(
            **snakemake.params.trainings[number],
            weights=encoder,
            table=snakemake.input.cohort,
            caches=caches,
            split=snakemake.input.split,
            folds=snakemake.params.folds,
            code=snakemake.params.code,
            **snakemake.params.training,
            seed=snakemake.params.seed,
            threads=snakemake.threads,
            memory_mb=snakemake.resources.mem_mb,
            **{name: paths[number] for name, paths in snakemake.output.items()},
        ).run()
