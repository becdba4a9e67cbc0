from hepatoclr.base import logs
from hepatoclr.learning import final_linear

with logs.to_file(snakemake.log[0]):
    final_linear.apply_linear(
        snakemake.wildcards.encoder,
        int(snakemake.wildcards.seed),
        snakemake.input.models,
        snakemake.input.features,
        snakemake.input.cohort,
        dict(snakemake.output.items()),
    )
