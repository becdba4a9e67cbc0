from hepatoclr import logs, metrics, tables

with logs.to_file(snakemake.log[0]):
    predictions = tables.read_predictions(snakemake.input)
    methods, betas, synthetic = (snakemake.params[key] for key in ("methods", "betas", "synthetic"))
    for name, table, caption in (
        ("table1", tables.table1(predictions, methods, synthetic), "Pretraining methods"),
        ("table2", tables.table2(predictions, betas, synthetic), "Weight of the weak label"),
        ("learning_curve", tables.learning_curve(predictions, synthetic), "Learning curve"),
    ):
        paths = [snakemake.output[key] for key in (name, f"{name}_md", f"{name}_tex")]
        tables.write(table, *paths, caption, metrics.counts(predictions))
