import pandas as pd

from hepatoclr import figures, logs, slices, tensors, volumes

with logs.to_file(snakemake.log[0]):
    figures.preprocessing(
        volumes.load(snakemake.input.volume),
        volumes.load(snakemake.input.liver),
        pd.DataFrame(map(vars, slices.read(snakemake.input.slices))),
        tensors.load(snakemake.input.tensor)[:],
        list(snakemake.output),
        synthetic=snakemake.params.synthetic,
        window=snakemake.params.window,
    )
