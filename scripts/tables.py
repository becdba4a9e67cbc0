from hepatoclr import logs, tables

with logs.to_file(snakemake.log[0]):
    tables.run(
        snakemake.input,
        snakemake.params.methods,
        snakemake.params.betas,
        snakemake.params.synthetic,
        [snakemake.output.table1, snakemake.output.table2, snakemake.output.learning_curve],
    )
