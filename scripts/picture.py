from hepatoclr import batches, files, jobs, picture, slices

params, upstream, table = snakemake.params, snakemake.input, snakemake.output[0]


def make(case, volume, liver, facts, kept, page):
    ct, found = picture.read(volume), picture.read(liver)
    shown = slices.read(kept), files.read_json(facts), params.window, params.synthetic
    picture.save(picture.draw(case, ct, found, *shown), page)


with jobs.running(snakemake.log[0], snakemake.input, snakemake.output):
    batches.run(make, table, upstream, key=params.key, again=params.again, **params.batch)
