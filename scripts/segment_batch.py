from hepatoclr import logs, segment

with logs.to_file(snakemake.log[0]):
    find = segment.load(
        weights=snakemake.config["segment"]["weights"],
        device=snakemake.config["device"],
        **snakemake.params.settings,
    )
    files = zip(snakemake.input.volumes, snakemake.input.facts, strict=True)
    batch = [
        segment.Case(volume=volume, facts=facts, **given)
        for (volume, facts), given in zip(files, snakemake.params.cases, strict=True)
    ]
    segment.batch(find, batch, snakemake.output[0])
