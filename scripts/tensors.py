from hepatoclr import batches, logs, slices, tensors, volumes

params, tables = snakemake.params, snakemake.input


def make(case, volume, kept, tensor, **_):
    found = slices.read(kept)
    ct = volumes.load(volume) if found else None
    tensors.write(tensors.clipped(ct, found, **params.settings), tensor)


with logs.to_file(snakemake.log[0]):
    told = {"key": params.key, "again": params.again, **params.batch}
    batches.run(make, snakemake.output[0], tables, **told)
