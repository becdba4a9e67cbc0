from hepatoclr import cohort, guards, logs, splits

with logs.to_file(snakemake.log[0]):
    cohorts = map(cohort.read, snakemake.input.cohorts)
    dealt = map(splits.read, snakemake.input.splits)
    guards.run(
        dict(zip(snakemake.params.cohorts, cohorts, strict=True)),
        dict(zip(snakemake.params.splits, dealt, strict=True)),
        snakemake.output[0],
    )
