from hepatoclr import beta, logs

with logs.to_file(snakemake.log[0]):
    betas = snakemake.params.betas
    beta.run(
        dict(zip(betas, snakemake.input.nested, strict=True)),
        dict(zip(betas, snakemake.input.finetuned, strict=True)),
        snakemake.output.nested,
        snakemake.output.finetuned,
    )
