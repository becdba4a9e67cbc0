from hepatoclr import cases, jobs, slices, volumes

with jobs.running(snakemake.log[0], [], []):
    found = []
    if cases.usable(snakemake.input.facts):
        found = slices.central(volumes.load(snakemake.input.liver), **snakemake.params.settings)
    slices.write(found, snakemake.output[0])
