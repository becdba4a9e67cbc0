from hepatoclr.base import logs
from hepatoclr.cohorts import cohort_table
from hepatoclr.learning import features

with logs.to_file(snakemake.log[0]):
    caches = cohort_table.caches([snakemake.input.cohort], snakemake.input.tensors)
    features.run(
        snakemake.input.encoder,
        snakemake.input.cohort,
        caches,
        snakemake.output[0],
        window=snakemake.params.window,
        network=snakemake.params.network,
        device=snakemake.params.device,
        threads=snakemake.threads,
    )
