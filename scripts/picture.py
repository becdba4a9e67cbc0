from hepatoclr import files, jobs, picture, slices

given, params = snakemake.input, snakemake.params
with jobs.running(snakemake.log[0], [], []):
    ct, liver = picture.read(given.volume), picture.read(given.liver)
    shown = slices.read(given.kept), files.read_json(given.facts), params.window, params.synthetic
    picture.save(picture.draw(snakemake.wildcards.case, ct, liver, *shown), snakemake.output[0])
