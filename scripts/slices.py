from hepatoclr import batches, cases, jobs, slices, volumes

params, upstream, table = snakemake.params, snakemake.input, snakemake.output[0]


def make(case, liver, facts, kept):
    found = []
    if cases.usable(facts):
        found = slices.central(volumes.load(liver), **params.settings)
    slices.write(found, kept)


with jobs.running(snakemake.log[0], snakemake.input, snakemake.output):
    batches.run(make, table, upstream, key=params.key, again=params.again, **params.batch)
