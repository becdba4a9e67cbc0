from hepatoclr import explain, jobs

with jobs.running(snakemake.log[0], snakemake.input, snakemake.output):
    explain.run(
        snakemake.wildcards.encoder,
        snakemake.input.encoder,
        snakemake.input.predictions,
        snakemake.input.features,
        snakemake.input.split,
        snakemake.params.folders,
        {},
        snakemake.output.table,
        [snakemake.output.figure, snakemake.output.png],
        **snakemake.params.settings,
        threads=snakemake.threads,
    )
