import pandas as pd

from hepatoclr import batches, figures, files, jobs, slices, tensors, volumes

with jobs.running(snakemake.log[0], snakemake.input, snakemake.output):
    case, paths = snakemake.params, list(snakemake.output)
    read = [case.volume, case.liver, case.slices, case.tensor]
    files.check(read, batches.digests(snakemake.input))
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
