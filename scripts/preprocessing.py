import pandas as pd

from hepatoclr.base import logs
from hepatoclr.imaging import slices, tensors, volumes
from hepatoclr.reporting.plots import preprocessing

with logs.to_file(snakemake.log[0]):
    case, paths = snakemake.input, list(snakemake.output)
    kept = slices.read(case.slices)
    if kept:
        preprocessing.draw(
            volumes.load(case.volume),
            volumes.load(case.liver),
            pd.DataFrame(map(vars, kept)),
            tensors.load(case.tensor)[:],
            paths,
            synthetic=snakemake.params.synthetic,
            window=snakemake.params.window,
        )
    else:
        preprocessing.case_excluded(paths)
