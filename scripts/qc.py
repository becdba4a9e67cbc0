from hepatoclr import files, jobs, qc

with jobs.running(snakemake.log[0], snakemake.input, snakemake.output):
    page = qc.html(
        snakemake.params.run,
        snakemake.wildcards.cohort,
        qc.read(snakemake.input.cohort),
        snakemake.params.synthetic,
    )
    files.write_text(page, snakemake.output[0])
