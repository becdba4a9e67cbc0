from hepatoclr import files, logs, qc

with logs.to_file(snakemake.log[0]):
    page = qc.html(
        snakemake.params.run,
        snakemake.wildcards.cohort,
        qc.read(snakemake.input.cohort),
        snakemake.params.synthetic,
    )
    files.write_text(page, snakemake.output[0])
