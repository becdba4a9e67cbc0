from hepatoclr.base import cases, files, logs
from hepatoclr.imaging import measures, slices

given, output, params = snakemake.input, snakemake.output, snakemake.params
case = f"{snakemake.wildcards.cohort} {snakemake.wildcards.case}"

with logs.to_file(snakemake.log[0]):
    slices.write([], output.kept)
    with cases.exclude_on_error("slices", case, [], output.facts, params.on_bad_case):
        liver, facts = measures.assess(given.liver, given.facts, given.volume)
        slices.write(slices.central(liver, **params.settings), output.kept)
        files.write_json(facts, output.facts)
