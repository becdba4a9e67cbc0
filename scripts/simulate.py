from pathlib import Path

from hepatoclr import batches, jobs, simulate

params, table = snakemake.params, snakemake.output[0]


def make(case, patient, folder, mask):
    simulate.write_case(patient, Path(folder), snakemake.wildcards.cohort, **params.settings)


with jobs.running(snakemake.log[0], snakemake.input, snakemake.output):
    batches.run(make, table, key=params.key, again=params.again, **params.batch)
