from hepatoclr import batches, files, ingest, jobs, volumes

params, table = snakemake.params, snakemake.output[0]
policy = snakemake.config["on_bad_case"]


def make(case, image, volume, facts, **series):
    ct = ingest.read_ct(image, **series, **params.settings)
    volumes.save(ct, volume)
    files.write_json(ct.facts, facts)


with jobs.running(snakemake.log[0], snakemake.input, snakemake.output):
    told = {"key": params.key, "again": params.again, **params.batch}
    batches.run(make, table, **told, on_bad_case=policy)
