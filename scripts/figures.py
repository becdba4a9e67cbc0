from hepatoclr import figures, jobs, predictions, tables

with jobs.running(snakemake.log[0], snakemake.input, snakemake.output):
    found = predictions.read(snakemake.input.predictions)
    computed = {name: tables.read(snakemake.input[name]) for name in figures.TABLES}
    paths = {
        name: [snakemake.output[name], snakemake.output[f"{name}_png"]] for name in figures.NAMES
    }
    figures.all(found, computed, paths, snakemake.params.methods)
