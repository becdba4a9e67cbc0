from hepatoclr import cohort, logs, splits

with logs.to_file(snakemake.log[0]):
    patients = cohort.patients(cohort.read(snakemake.input[0]))
    split = splits.deal(
        patients,
        **snakemake.params.settings,
        repeat=int(snakemake.wildcards.repeat),
        seed=snakemake.params.seed,
    )
    splits.write(split, snakemake.output[0])
