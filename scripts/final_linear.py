from hepatoclr.base import logs
from hepatoclr.learning import final_linear

with logs.to_file(snakemake.log[0]):
    final_linear.write_linear(
        snakemake.wildcards.encoder,
        int(snakemake.wildcards.seed),
        snakemake.input.features,
        snakemake.input.cohort,
        snakemake.params.settings,
        snakemake.output[0],
    )
