from hepatoclr import files, logs, picture, slices

with logs.to_file(snakemake.log[0]):
    image = picture.draw(
        snakemake.wildcards.case,
        picture.read(snakemake.input.volume),
        picture.read(snakemake.input.liver),
        slices.read(snakemake.input.slices),
        files.read_json(snakemake.input.facts),
        snakemake.params.window,
        snakemake.params.synthetic,
    )
    picture.save(image, snakemake.output[0])
