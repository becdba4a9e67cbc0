from pathlib import Path

from hepatoclr.base import logs
from hepatoclr.simulation import simulate

with logs.to_file(snakemake.log[0]):
    folder, params = Path(snakemake.output[0]), snakemake.params
    simulate.write_case(params.patient, folder, snakemake.wildcards.cohort, **params.settings)
