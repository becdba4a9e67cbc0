from hepatoclr.base import logs
from hepatoclr.imaging import slices, tensors, volumes

with logs.to_file(snakemake.log[0]):
    kept = slices.read(snakemake.input.slices)
    ct = volumes.load(snakemake.input.volume) if kept else None
    tensors.write(tensors.preprocess(ct, kept, **snakemake.params.settings), snakemake.output[0])
