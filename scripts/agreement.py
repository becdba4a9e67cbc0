from hepatoclr import agreement, cohort, files, logs

with logs.to_file(snakemake.log[0]):
    labels = agreement.both(cohort.read(snakemake.input[0]), snakemake.params.meanings)
    files.write_csv(agreement.table(labels).round(6), snakemake.output[0])
