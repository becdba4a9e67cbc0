from hepatoclr import agreement, cohort, files, jobs

with jobs.running(snakemake.log[0], snakemake.input, snakemake.output):
    labels = agreement.both(cohort.read(snakemake.input[0]), snakemake.params.meanings)
    files.write_csv(agreement.table(labels).round(6), snakemake.output[0])
