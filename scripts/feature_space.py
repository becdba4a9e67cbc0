from hepatoclr.base import logs
from hepatoclr.interpretation import feature_space

with logs.to_file(snakemake.log[0]):
    output, params = snakemake.output, snakemake.params
    features = dict(zip(params.encoders, snakemake.input.features, strict=True))
    people, vectors = feature_space.read(snakemake.input.cohort, features)
    feature_space.run(people, vectors, output, seed=params.seed, disclaimers=params.disclaimers)
    points = {name: feature_space.pca(array) for name, array in vectors.items()}
    paths = [output.feature_space_pca, output.feature_space_pca_png]
    feature_space.draw(people, points, paths, disclaimers=params.disclaimers)
