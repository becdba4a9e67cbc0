from hepatoclr import feature_space, jobs

with jobs.running(snakemake.log[0], snakemake.input, snakemake.output):
    output, params = snakemake.output, snakemake.params
    features = dict(zip(params.encoders, snakemake.input.features, strict=True))
    people, vectors = feature_space.read(snakemake.input.cohort, features)
    points = {name: feature_space.umap(array) for name, array in vectors.items()}
    paths = [output.feature_space_umap, output.feature_space_umap_png]
    feature_space.draw(people, points, paths, marks=params.marks)
