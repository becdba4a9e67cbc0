import pandas as pd

from hepatoclr.base import logs
from hepatoclr.imaging import slices, tensors, volumes
from hepatoclr.reporting import plots

with logs.to_file(snakemake.log[0]):
    case, paths = snakemake.input, list(snakemake.output)
    kept = slices.read(case.slices)
    if kept:
        plots.preprocessing(
            volumes.load(case.volume),
            volumes.load(case.liver),
            pd.DataFrame(map(vars, kept)),
            tensors.load(case.tensor)[:],
            paths,
            synthetic=snakemake.params.synthetic,
            window=snakemake.params.window,
        )
    else:
        plots.case_excluded(paths)
