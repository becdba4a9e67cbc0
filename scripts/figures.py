from hepatoclr import figures, logs, predictions, tables

with logs.to_file(snakemake.log[0]):
    found = predictions.read(snakemake.input.predictions)
    computed = {name: tables.read(snakemake.input[name]) for name in figures.TABLES}
    paths = {
        name: [snakemake.output[name], snakemake.output[f"{name}_png"]] for name in figures.NAMES
    }
    figures.all(found, computed, paths, snakemake.params.methods)
