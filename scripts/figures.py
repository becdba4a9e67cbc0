from hepatoclr.base import logs
from hepatoclr.reporting.plots import plots
from hepatoclr.reporting.tables import tables
from hepatoclr.stats import predictions

with logs.to_file(snakemake.log[0]):
    found = predictions.read(snakemake.input.predictions, own=True)
    computed = {name: tables.read(snakemake.input[name]) for name in plots.TABLES}
    paths = {
        name: [snakemake.output[name], snakemake.output[f"{name}_png"]] for name in plots.NAMES
    }
    plots.all(found, computed, paths, snakemake.params.methods)
