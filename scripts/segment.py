from pathlib import Path

from hepatoclr.base import cases, logs
from hepatoclr.imaging import segment

given, output, params = snakemake.input, snakemake.output, snakemake.params
case = f"{snakemake.wildcards.cohort} {snakemake.wildcards.case}"
guard = "segment", case, [output.liver], output.facts, params.on_bad_case

if __name__ == "__main__":  # TotalSegmentator's workers read this file too
    with logs.to_file(snakemake.log[0]), cases.exclude_on_error(*guard):
        segment.segment(
            given.volume,
            given.facts,
            output.liver,
            output.facts,
            **params.settings,
            device=params.device,
            mask=Path(given.mask, params.mask) if given.mask else None,
            label=int(params.label) if params.label else None,
            code=params.code,
            attempt=snakemake.resources.attempt,
        )
