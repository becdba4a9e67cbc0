from hepatoclr.base import cases, logs
from hepatoclr.imaging import segment

given, output, params = snakemake.input, snakemake.output, snakemake.params
case = f"{snakemake.wildcards.cohort} {snakemake.wildcards.case}"
guard = "segment", case, [output.liver], output.facts, params.on_bad_case

if __name__ == "__main__":
    with logs.to_file(snakemake.log[0]), cases.exclude_on_error(*guard):
        cases.give_up(snakemake.resources.attempt)
        find = segment.load(**params.settings, device=params.device)
        label = int(params.label) if params.label else None
        segment.segment(find, given.volume, given.facts, *output, params.mask, label)
