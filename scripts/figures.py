import pandas as pd

from hepatoclr import figures, logs, tables

with logs.to_file(snakemake.log[0]):
    predictions = tables.read_predictions(snakemake.input.predictions)
    methods, synthetic = snakemake.params.methods, snakemake.params.synthetic
    table1, table2, curve = (
        pd.read_csv(snakemake.input[key], keep_default_na=False, na_values=[""])
        for key in ("table1", "table2", "learning_curve")
    )
    baseline = table1.set_index(["method", "protocol"]).loc[("none", "finetune")]
    paths = {
        name: [snakemake.output[name], snakemake.output[f"{name}_png"]]
        for name in ("learning_curve", "beta", "roc")
    }
    figures.learning_curve(curve, paths["learning_curve"])
    figures.beta(table2, baseline, paths["beta"])
    figures.roc(predictions, methods, paths["roc"], synthetic=synthetic)
