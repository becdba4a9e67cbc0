from hepatoclr.base import logs
from hepatoclr.prediction import pack

given, params, of = snakemake.input, snakemake.params, snakemake.wildcards
with logs.to_file(snakemake.log[0]):
    pack.pack(
        snakemake.output[0],
        **{key: params[key] for key in ("run", "evaluation", "seeds", "settings", "checks")},
        **{key: params[key] for key in ("disclaimers", "licence")},
        encoder=of.encoder,
        protocol=of.protocol,
        weights=given.weights,
        models=given.models,
        folds=given.get("folds", []),
        features=given.get("features", []),
        cohorts=dict(zip(params.cohorts, given.cohorts, strict=True)),
        inside=given.predictions,
        measures=given.measures,
        external=given.external or None,
    )
