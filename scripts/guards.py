from hepatoclr import cohort, guards, jobs, splits

with jobs.running(snakemake.log[0], snakemake.input, snakemake.output):
    cohorts = map(cohort.read, snakemake.input.cohorts)
    dealt = map(splits.read, snakemake.input.splits)
    guards.run(
        dict(zip(snakemake.params.cohorts, cohorts, strict=True)),
        dict(zip(snakemake.params.splits, dealt, strict=True)),
        snakemake.output[0],
    )
