from hepatoclr import cases, files, ingest, logs, volumes

case = f"{snakemake.wildcards.cohort} {snakemake.wildcards.case}"
output, policy = snakemake.output, snakemake.config["on_bad_case"]
mended = snakemake.params.mended
with (
    logs.to_file(snakemake.log[0]),
    cases.guarded("ingest", case, [output.volume], output.facts, policy, mended),
):
    ct = ingest.read_ct(
        snakemake.params.image, **snakemake.params.series, **snakemake.params.settings
    )
    volumes.save(ct, output.volume)
    files.write_json({**ct.facts, **mended}, output.facts)
