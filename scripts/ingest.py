from hepatoclr import cases, files, ingest, logs, volumes

case = f"{snakemake.wildcards.cohort} {snakemake.wildcards.case}"
output, policy = snakemake.output, snakemake.config["on_bad_case"]
with logs.to_file(snakemake.log[0]), cases.guarded(case, [output.volume], output.facts, policy):
    ct = ingest.read_ct(snakemake.params.image)
    volumes.save(ct, output.volume)
    files.write_json(ct.facts, output.facts)
