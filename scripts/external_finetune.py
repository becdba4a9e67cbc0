from hepatoclr.base import logs
from hepatoclr.cohorts import cohort_table
from hepatoclr.learning import final_finetune

with logs.to_file(snakemake.log[0]):
    final_finetune.apply_finetuned(
        snakemake.wildcards.encoder,
        int(snakemake.wildcards.seed),
        snakemake.input.model,
        snakemake.input.metadata,
        snakemake.input.cohort,
        cohort_table.caches([snakemake.input.cohort], snakemake.input.tensors),
        snakemake.output[0],
        network=snakemake.params.network,
        window=snakemake.params.window,
        device=snakemake.params.device,
        threads=snakemake.threads,
    )
