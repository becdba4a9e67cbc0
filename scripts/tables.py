from hepatoclr.base import files, logs
from hepatoclr.reporting import consistency
from hepatoclr.reporting.tables import common, tables
from hepatoclr.stats import metrics, predictions

with logs.to_file(snakemake.log[0]):
    consistency.check(snakemake.input.trainings, snakemake.params.settings)
    found = predictions.read(snakemake.input.predictions, own=True)
    given = [snakemake.params[key] for key in ("methods", "betas", "disclaimers", "threshold")]
    learned = common.learned(map(files.read_json, snakemake.input.trainings))
    for name, table in tables.all(found, *given, learned).items():
        paths = [snakemake.output[key] for key in (name, f"{name}_md", f"{name}_tex")]
        tables.write(table, *paths, tables.TITLES[name], metrics.counts(found))
