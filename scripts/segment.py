from hepatoclr import batches, logs, segment

params, config = snakemake.params, snakemake.config
place = {"weights": config["segment"]["weights"], "device": config["device"]}


def make(case, **files):
    segment.segment(find, **files)


with logs.to_file(snakemake.log[0]):
    find = segment.load(**params.settings, **place)
    told = {"key": params.key, "again": params.again, **params.batch}
    upstream = [snakemake.input.volumes]
    batches.run(make, snakemake.output[0], upstream, on_bad_case=config["on_bad_case"], **told)
