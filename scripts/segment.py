from hepatoclr import cases, files, logs, segment, volumes

# TotalSegmentator starts worker processes, which import this file anew
if __name__ == "__main__":
    case = f"{snakemake.wildcards.cohort} {snakemake.wildcards.case}"
    output, policy = snakemake.output, snakemake.config["on_bad_case"]
    with logs.to_file(snakemake.log[0]), cases.guarded(case, [output.liver], output.facts, policy):
        ct_facts = cases.require(snakemake.input.facts)
        liver = segment.liver(
            volumes.load(snakemake.input.volume),
            weights=snakemake.config["segment"]["weights"],
            device=snakemake.config["device"],
            **snakemake.params.settings,
            **snakemake.params.given,
        )
        volumes.save(liver, output.liver)
        warnings = [*ct_facts["warnings"], *liver.facts["warnings"]]
        files.write_json({**liver.facts, "warnings": warnings}, output.facts)
