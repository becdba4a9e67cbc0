from hepatoclr import cohort, files, jobs, manifests, shortcuts, splits

with jobs.running(snakemake.log[0], snakemake.input, snakemake.output):
    found = shortcuts.table(
        cohort.read(snakemake.input.cohort),
        manifests.read(snakemake.input.manifest, snakemake.params.schema),
        [splits.read(path) for path in snakemake.input.splits],
    )
    files.write_csv(found.round(6), snakemake.output[0])
