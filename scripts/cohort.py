from hepatoclr.base import logs
from hepatoclr.cohorts import assemble, cohort_table, manifests

given, params = snakemake.input, snakemake.params
with logs.to_file(snakemake.log[0]):
    table = assemble.assemble(
        snakemake.wildcards.cohort,
        manifests.read(given.manifest, params.aliases),
        given.volumes,
        given.livers,
        given.slices,
        on_bad_case=params.on_bad_case,
        limits=params.limits,
        permute=params.permute,
        **params.settings,
    )
    cohort_table.write(table, snakemake.output[0])
