from pathlib import Path

from hepatoclr import provenance
from hepatoclr.base import files, fingerprint, logs

with logs.to_file(snakemake.log[0]):
    given, params, project = snakemake.input, snakemake.params, fingerprint.PROJECT
    run, pins = Path(snakemake.output[0]).parent, project / params.pins
    results = {kind: given[kind] for kind in params.kinds}
    manifests = dict(zip(params.cohorts, given.manifests, strict=True))
    cohorts = dict(zip(params.cohorts, given.cohorts, strict=True))
    inputs = (manifests, cohorts, given.trainings)
    made = provenance.record(
        run, results, params.settings, params.disclaimers, *inputs, project, params.sources, pins
    )
    files.write_json(made, snakemake.output[0])
