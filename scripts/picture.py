from hepatoclr import batches, files, logs, picture, slices

params, tables = snakemake.params, snakemake.input


def make(case, volume, liver, facts, kept, **page):
    ct, found = picture.read(volume), picture.read(liver)
    shown = slices.read(kept), files.read_json(facts), params.window, params.synthetic
    picture.save(picture.draw(case, ct, found, *shown), page["picture"])


with logs.to_file(snakemake.log[0]):
    told = {"key": params.key, "again": params.again, **params.batch}
    batches.run(make, snakemake.output[0], tables, **told)
