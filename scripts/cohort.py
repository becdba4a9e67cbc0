from hepatoclr.base import logs
from hepatoclr.cohorts import cohort_table, manifests

with logs.to_file(snakemake.log[0]):
    table = cohort_table.assemble(
        snakemake.wildcards.cohort,
        manifests.read(snakemake.input.manifest, snakemake.params.schema),
        snakemake.params.volumes,
        snakemake.params.livers,
        snakemake.params.kept,
        on_bad_case=snakemake.params.on_bad_case,
        limits=snakemake.params.limits,
        **snakemake.params.settings,
        permute=snakemake.params.permute,
    )
    cohort_table.write(table, snakemake.output[0])
