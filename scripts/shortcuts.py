from hepatoclr import cohort, logs, manifests, shortcuts, splits

with logs.to_file(snakemake.log[0]):
    found = shortcuts.table(
        cohort.read(snakemake.input.cohort),
        manifests.read(snakemake.input.manifest, snakemake.params.schema),
        [splits.read(path) for path in snakemake.input.splits],
    )
    shortcuts.write(found, snakemake.output[0])
