from hepatoclr import cases, logs, segment

name = snakemake.wildcards.case
inputs, output, params = snakemake.input, snakemake.output, snakemake.params
policy, batch = snakemake.config["on_bad_case"], inputs.get("batch")
guard = "segment", f"{snakemake.wildcards.cohort} {name}", [output.liver], output.facts, policy
with logs.to_file(snakemake.log[0]), cases.guarded(*guard):
    if batch:
        segment.take(batch, name, output.liver, output.facts)
    else:
        find = segment.load(
            weights=snakemake.config["segment"]["weights"],
            device=snakemake.config["device"],
            **params.settings,
        )
        case = segment.Case(name, inputs.volume, inputs.facts, **params.given)
        segment.segment(find, case, output.liver, output.facts)
