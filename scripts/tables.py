from hepatoclr import jobs, metrics, predictions, tables

with jobs.running(snakemake.log[0], snakemake.input, snakemake.output):
    found = predictions.read(snakemake.input)
    methods, betas, marks = (snakemake.params[key] for key in ("methods", "betas", "marks"))
    for name, table in tables.all(found, methods, betas, marks).items():
        paths = [snakemake.output[key] for key in (name, f"{name}_md", f"{name}_tex")]
        tables.write(table, *paths, tables.TITLES[name], metrics.counts(found))
