from hepatoclr.base import files, logs
from hepatoclr.cohorts import cohort_table, manifests, splits
from hepatoclr.stats import shortcuts

with logs.to_file(snakemake.log[0]):
    found = shortcuts.table(
        cohort_table.read(snakemake.input.cohort),
        manifests.read(snakemake.input.manifest, snakemake.params.aliases),
        [splits.read(path) for path in snakemake.input.splits],
    )
    files.write_csv(found.round(6), snakemake.output[0])
