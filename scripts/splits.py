from hepatoclr.base import logs
from hepatoclr.cohorts import classes, cohort_table, splits

with logs.to_file(snakemake.log[0]):
    classes.check(snakemake.input, splits.least_patients(**snakemake.params.settings))
    patients = cohort_table.patients(cohort_table.read(snakemake.input[0]))
    split = splits.make_splits(
        patients,
        **snakemake.params.settings,
        repeat=int(snakemake.wildcards.repeat),
        seed=snakemake.params.seed,
    )
    splits.write(split, snakemake.output[0])
