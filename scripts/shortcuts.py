from hepatoclr import cohort, files, logs, manifests, shortcuts, splits

with logs.to_file(snakemake.log[0]):
    found = shortcuts.table(
        cohort.read(snakemake.input.cohort),
        manifests.read(snakemake.input.manifest, snakemake.params.schema),
        [splits.read(path) for path in snakemake.input.splits],
    )
    files.write_csv(found.round(6), snakemake.output[0])
