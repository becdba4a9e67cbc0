from hepatoclr.base import logs
from hepatoclr.cohorts import cohort_table
from hepatoclr.prediction import predict

with logs.to_file(snakemake.log[0]):
    predict.predict_cohort(
        snakemake.input.bundle,
        snakemake.input.cohort,
        cohort_table.caches([snakemake.input.cohort], snakemake.input.tensors),
        snakemake.output[0],
        device=snakemake.params.device,
        threads=snakemake.threads,
    )
