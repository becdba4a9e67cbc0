from pathlib import Path

from hepatoclr import jobs, simulate

with jobs.running(snakemake.log[0], [], []):
    folder, params = Path(snakemake.output[0]), snakemake.params
    simulate.write_case(params.patient, folder, snakemake.wildcards.cohort, **params.settings)
