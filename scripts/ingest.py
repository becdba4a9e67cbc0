from pathlib import Path

from hepatoclr.base import cases, files, logs
from hepatoclr.imaging import ingest, volumes

output, params = snakemake.output, snakemake.params
case = f"{snakemake.wildcards.cohort} {snakemake.wildcards.case}"
guard = "ingest", case, [output.volume], output.facts, params.on_bad_case

with logs.to_file(snakemake.log[0]), cases.exclude_on_error(*guard):
    cases.give_up(snakemake.resources.attempt, *snakemake.input)
    image = Path(snakemake.input[0], params.image)
    ct = ingest.read_ct(image, params.series, params.series_uid, **params.settings)
    volumes.save(ct, output.volume)
    files.write_json(ct.facts, output.facts)
