from hepatoclr import batches, cases, logs, slices, volumes

params, upstream, table = snakemake.params, snakemake.input, snakemake.output[0]


def make(case, liver, facts, kept):
    found = []
    if cases.usable(facts):
        found = slices.central(volumes.load(liver), **params.settings)
    slices.write(found, kept)


with logs.to_file(snakemake.log[0]):
    batches.run(make, table, upstream, key=params.key, again=params.again, **params.batch)
