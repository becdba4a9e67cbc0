from hepatoclr.base import logs
from hepatoclr.cohorts import cohort_table
from hepatoclr.quality import patient_flow

with logs.to_file(snakemake.log[0]):
    tables = map(cohort_table.read, snakemake.input.cohorts)
    counts = patient_flow.table(
        dict(zip(snakemake.params.cohorts, tables, strict=True)),
        patient_flow.evaluated(snakemake.input.predictions),
    )
    patient_flow.write(counts, snakemake.output.table)
    paths = [snakemake.output.patient_flow, snakemake.output.patient_flow_png]
    patient_flow.draw(counts, paths, synthetic=snakemake.params.synthetic)
