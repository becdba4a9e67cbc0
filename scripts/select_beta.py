from hepatoclr.base import logs
from hepatoclr.learning import select_beta

with logs.to_file(snakemake.log[0]):
    betas = snakemake.params.betas
    select_beta.run(
        dict(zip(betas, snakemake.input.nested, strict=True)),
        dict(zip(betas, snakemake.input.finetuned, strict=True)),
        snakemake.output.nested,
        snakemake.output.finetuned,
    )
