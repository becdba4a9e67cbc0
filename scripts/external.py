from hepatoclr.base import files, logs
from hepatoclr.reporting import formatting
from hepatoclr.reporting.plots import external as plots
from hepatoclr.reporting.tables import external, tables
from hepatoclr.stats import predictions

with logs.to_file(snakemake.log[0]):
    given, params, out = snakemake.input, snakemake.params, snakemake.output
    inside = predictions.read(given.predictions, own=True)
    outside = external.read(given.external, params.cohorts)
    data = formatting.data(params.disclaimers)
    found = external.external(inside, outside, params.methods, params.threshold).assign(data=data)
    paths = [out[name] for name in ("external", "external_md", "external_tex")]
    tables.write(found, *paths, tables.EXTERNAL)
    beside = {
        "hospitals": external.hospitals(outside, params.methods),
        "recalibration": external.recalibration(
            outside, params.methods, **params.settings, seed=params.seed
        ),
        "comparisons": external.compared(outside, params.methods),
    }
    for name, table in beside.items():
        files.write_csv(table.assign(data=data).round(6), out[name])
    figures = {name: [out[name], out[f"{name}_png"]] for name in plots.NAMES}
    together, measured = external.side_by_side(inside, outside, params.methods)
    measured = measured.assign(data=data)
    plots.all(found, together, measured, beside["recalibration"], params.methods, figures)
