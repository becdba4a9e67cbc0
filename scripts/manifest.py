from hepatoclr import jobs, manifests, simulate

with jobs.running(snakemake.log[0], snakemake.input, snakemake.output):
    patients = simulate.cohort(
        snakemake.wildcards.cohort, **snakemake.params.cohort, **snakemake.params.settings
    )
    manifests.write(patients, snakemake.output[0])
