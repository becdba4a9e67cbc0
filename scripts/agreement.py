from hepatoclr import agreement, cohort, logs

with logs.to_file(snakemake.log[0]):
    labels = agreement.both(cohort.read(snakemake.input[0]), snakemake.params.meanings)
    agreement.write(agreement.table(labels), snakemake.output[0])
