from hepatoclr.base import logs
from hepatoclr.cohorts import cohort_table
from hepatoclr.learning import final_finetune

with logs.to_file(snakemake.log[0]):
    final_finetune.FinalTuning(
        encoder=snakemake.wildcards.encoder,
        weights=snakemake.input.encoder,
        table=snakemake.input.cohort,
        caches=cohort_table.caches([snakemake.input.cohort], snakemake.input.tensors),
        split=snakemake.input.split,
        code=snakemake.params.code,
        **snakemake.params.training,
        seed=int(snakemake.wildcards.seed),
        threads=snakemake.threads,
        memory_mb=snakemake.resources.mem_mb,
        **snakemake.output,
    ).run()
