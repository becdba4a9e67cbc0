from hepatoclr import feature_space, jobs

with jobs.running(snakemake.log[0], snakemake.input, snakemake.output):
    output, params = snakemake.output, snakemake.params
    features = dict(zip(params.encoders, snakemake.input.features, strict=True))
    people, vectors = feature_space.read(snakemake.input.cohort, features)
    feature_space.run(people, vectors, output, seed=params.seed, marks=params.marks)
    points = {name: feature_space.pca(array) for name, array in vectors.items()}
    paths = [output.feature_space_pca, output.feature_space_pca_png]
    feature_space.draw(people, points, paths, marks=params.marks)
