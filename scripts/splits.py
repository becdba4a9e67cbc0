from hepatoclr import cohort, logs, splits

with logs.to_file(snakemake.log[0]):
    patients = cohort.patients(cohort.read(snakemake.input[0]))
    split = splits.stratified(
        patients,
        folds=snakemake.params.folds,
        repeat=int(snakemake.wildcards.repeat),
        seed=snakemake.params.seed,
    )
    splits.write(split, snakemake.output[0])
