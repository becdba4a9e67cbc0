from pathlib import Path

from hepatoclr import logs, simulate

with logs.to_file(snakemake.log[0]):
    simulate.write_case(
        snakemake.params.patient,
        Path(snakemake.output[0]),
        snakemake.wildcards.cohort,
        **snakemake.params.settings,
    )
