from hepatoclr import batches, files, ingest, logs, volumes

params, policy = snakemake.params, snakemake.config["on_bad_case"]


def make(case, image, volume, facts, **series):
    ct = ingest.read_ct(image, **series, **params.settings)
    volumes.save(ct, volume)
    files.write_json(ct.facts, facts)


with logs.to_file(snakemake.log[0]):
    told = {"key": params.key, "again": params.again, **params.batch}
    batches.run(make, snakemake.output[0], on_bad_case=policy, **told)
