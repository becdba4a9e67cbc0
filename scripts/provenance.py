from pathlib import Path

from hepatoclr import files, fingerprint, jobs, provenance

with jobs.running(snakemake.log[0], snakemake.input, snakemake.output):
    given, params, project = snakemake.input, snakemake.params, fingerprint.PROJECT
    run, pins = Path(snakemake.output[0]).parent, project / params.pins
    results = {kind: given[kind] for kind in params.kinds}
    manifests = dict(zip(params.cohorts, given.manifests, strict=True))
    cohorts = dict(zip(params.cohorts, given.cohorts, strict=True))
    inputs = (manifests, cohorts, given.trainings)
    made = provenance.record(
        run, results, params.settings, params.marks, *inputs, project, params.sources, pins
    )
    files.write_json(made, snakemake.output[0])
