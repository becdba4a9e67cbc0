from hepatoclr.base import logs
from hepatoclr.cohorts import manifests
from hepatoclr.simulation import simulate

with logs.to_file(snakemake.log[0]):
    patients = simulate.cohort(
        snakemake.wildcards.cohort, **snakemake.params.cohort, **snakemake.params.settings
    )
    manifests.write(patients, snakemake.output[0])
