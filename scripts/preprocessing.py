import pandas as pd

from hepatoclr import figures, logs, slices, tensors, volumes

with logs.to_file(snakemake.log[0]):
    kept, paths = slices.read(snakemake.input.slices), list(snakemake.output)
    if kept:
        figures.preprocessing(
            volumes.load(snakemake.input.volume),
            volumes.load(snakemake.input.liver),
            pd.DataFrame(map(vars, kept)),
            tensors.load(snakemake.input.tensor)[:],
            paths,
            synthetic=snakemake.params.synthetic,
            window=snakemake.params.window,
        )
    else:
        figures.set_aside(paths)
