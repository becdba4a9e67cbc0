from hepatoclr.base import files, logs
from hepatoclr.cohorts import splits
from hepatoclr.reporting import formatting
from hepatoclr.reporting.tables import common, tables
from hepatoclr.stats import baselines, metrics, predictions

with logs.to_file(snakemake.log[0]):
    given, params = snakemake.input, snakemake.params
    images = predictions.read(given.predictions, own=True)
    asked = params.aliases, params.covariates
    cohort, known = baselines.read(given.cohort, given.manifest, *asked)
    learned = common.learned(map(files.read_json, given.trainings))
    able = images[images["encoder"].map(lambda encoder: learned.get(encoder, True))]
    found = baselines.table(known, cohort, list(map(splits.read, given.splits)), able)
    for name, table, listed in zip(params.external, given.external, given.manifests, strict=True):
        other, elsewhere = baselines.read(table, listed, *asked)
        outside = baselines.outside(known, cohort, elsewhere, other).add_prefix(f"{name}_")
        found = found.join(outside, on="baseline")
    marked = found.assign(data=formatting.data(params.disclaimers))
    paths = [snakemake.output[key] for key in ("baselines", "baselines_md", "baselines_tex")]
    tables.write(marked, *paths, tables.BASELINES, metrics.counts(images))
