from hepatoclr import cases, logs, slices, volumes

with logs.to_file(snakemake.log[0]):
    kept = []
    if cases.usable(snakemake.input.facts):
        kept = slices.central(volumes.load(snakemake.input.liver), **snakemake.params.settings)
    slices.write(kept, snakemake.output[0])
