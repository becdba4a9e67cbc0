from hepatoclr import batches, jobs, slices, tensors, volumes

params, upstream, table = snakemake.params, snakemake.input, snakemake.output[0]


def make(case, volume, kept, tensor):
    found = slices.read(kept)
    ct = volumes.load(volume) if found else None
    tensors.write(tensors.clipped(ct, found, **params.settings), tensor)


with jobs.running(snakemake.log[0], snakemake.input, snakemake.output):
    batches.run(make, table, upstream, key=params.key, again=params.again, **params.batch)
