from hepatoclr.base import logs
from hepatoclr.reporting.plots import diagrams

with logs.to_file(snakemake.log[0]):
    params, files = snakemake.params, snakemake.output
    diagrams.network(params.size, params.network, [files.network, files.network_png])
    diagrams.strategy(
        params.encoders,
        params.augmentation,
        params.temperature,
        [files.strategy, files.strategy_png],
    )
