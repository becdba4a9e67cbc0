from hepatoclr import batches, jobs, segment

params, table, config = snakemake.params, snakemake.output[0], snakemake.config
upstream, policy = [snakemake.input.volumes], config["on_bad_case"]
place = {"weights": config["segment"]["weights"], "device": config["device"]}


def make(case, **known):
    segment.segment(find, **known)


with jobs.running(snakemake.log[0], snakemake.input, snakemake.output):
    find = segment.load(**params.settings, **place)
    told = {"key": params.key, "again": params.again, **params.batch}
    batches.run(make, table, upstream, **told, on_bad_case=policy)
