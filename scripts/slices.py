from hepatoclr import batches, cases, logs, slices, volumes

params, tables = snakemake.params, snakemake.input


def make(case, liver, facts, kept):
    found = []
    if cases.usable(facts):
        found = slices.central(volumes.load(liver), **params.settings)
    slices.write(found, kept)


with logs.to_file(snakemake.log[0]):
    told = {"key": params.key, "again": params.again, **params.batch}
    batches.run(make, snakemake.output[0], tables, **told)
