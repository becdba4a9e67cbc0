from hepatoclr import cohort, flow, jobs

with jobs.running(snakemake.log[0], snakemake.input, snakemake.output):
    tables = map(cohort.read, snakemake.input.cohorts)
    counts = flow.table(
        dict(zip(snakemake.params.cohorts, tables, strict=True)),
        flow.evaluated(snakemake.input.predictions),
    )
    flow.write(counts, snakemake.output.table)
    paths = [snakemake.output.flow, snakemake.output.flow_png]
    flow.draw(counts, paths, synthetic=snakemake.params.synthetic)
