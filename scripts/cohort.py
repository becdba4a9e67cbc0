from hepatoclr import cohort, jobs, manifests

with jobs.running(snakemake.log[0], snakemake.input, snakemake.output):
    table = cohort.assemble(
        snakemake.wildcards.cohort,
        manifests.read(snakemake.input.manifest, snakemake.params.schema),
        snakemake.params.volumes,
        snakemake.params.livers,
        snakemake.params.kept,
        on_bad_case=snakemake.params.on_bad_case,
        limits=snakemake.params.limits,
        **snakemake.params.cohort,
    )
    cohort.write(table, snakemake.output[0])
