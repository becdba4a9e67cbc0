from hepatoclr import beta, jobs

with jobs.running(snakemake.log[0], snakemake.input, snakemake.output):
    betas = snakemake.params.betas
    beta.run(
        dict(zip(betas, snakemake.input.nested, strict=True)),
        dict(zip(betas, snakemake.input.finetuned, strict=True)),
        snakemake.output.nested,
        snakemake.output.finetuned,
    )
