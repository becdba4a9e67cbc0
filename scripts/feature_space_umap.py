from hepatoclr.base import logs
from hepatoclr.interpretation import feature_space

with logs.to_file(snakemake.log[0]):
    output, params = snakemake.output, snakemake.params
    features = dict(zip(params.encoders, snakemake.input.features, strict=True))
    people, vectors = feature_space.read(snakemake.input.cohort, features)
    points = {name: feature_space.umap(array) for name, array in vectors.items()}
    paths = [output.feature_space_umap, output.feature_space_umap_png]
    feature_space.draw(people, points, paths, disclaimers=params.disclaimers)
