from hepatoclr.base import files, logs
from hepatoclr.imaging import slices
from hepatoclr.quality import qc_image

given, params = snakemake.input, snakemake.params
with logs.to_file(snakemake.log[0]):
    ct, liver = qc_image.read(given.volume), qc_image.read(given.liver)
    shown = slices.read(given.slices), files.read_json(given.facts), params.window, params.synthetic
    qc_image.save(qc_image.draw(snakemake.wildcards.case, ct, liver, *shown), snakemake.output[0])
