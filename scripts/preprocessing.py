import pandas as pd

from hepatoclr import figures, jobs, slices, tensors, volumes

with jobs.running(snakemake.log[0], snakemake.input, snakemake.output):
    case, paths = snakemake.input, list(snakemake.output)
    kept = slices.read(case.slices)
    if kept:
        figures.preprocessing(
            volumes.load(case.volume),
            volumes.load(case.liver),
            pd.DataFrame(map(vars, kept)),
            tensors.load(case.tensor)[:],
            paths,
            synthetic=snakemake.params.synthetic,
            window=snakemake.params.window,
        )
    else:
        figures.set_aside(paths)
