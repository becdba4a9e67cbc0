from hepatoclr.base import cases, logs
from hepatoclr.imaging import slices, volumes

with logs.to_file(snakemake.log[0]):
    found = []
    if cases.usable(snakemake.input.facts):
        found = slices.central(volumes.load(snakemake.input.liver), **snakemake.params.settings)
    slices.write(found, snakemake.output[0])
