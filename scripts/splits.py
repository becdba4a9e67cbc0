from hepatoclr import cohort, jobs, splits

with jobs.running(snakemake.log[0], snakemake.input, snakemake.output):
    patients = cohort.patients(cohort.read(snakemake.input[0]))
    split = splits.deal(
        patients,
        **snakemake.params.settings,
        repeat=int(snakemake.wildcards.repeat),
        seed=snakemake.params.seed,
    )
    splits.write(split, snakemake.output[0])
