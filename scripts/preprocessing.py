import pandas as pd

from hepatoclr import figures, logs, slices, tensors, volumes

with logs.to_file(snakemake.log[0]):
    case, paths = snakemake.params, list(snakemake.output)
    kept = slices.read(case.slices)
    if kept:
        figures.preprocessing(
            volumes.load(case.volume),
            volumes.load(case.liver),
            pd.DataFrame(map(vars, kept)),
            tensors.load(case.tensor)[:],
            paths,
            synthetic=case.synthetic,
            window=case.window,
        )
    else:
        figures.set_aside(paths)
