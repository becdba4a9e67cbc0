PACKED = {
    "finetune": {
        "weights": expand(results("models/finetune/{{encoder}}/{seed}.safetensors"), seed=SEEDS),
        "models": expand(results("models/finetune/{{encoder}}/{seed}.json"), seed=SEEDS),
    },
    "linear": {
        "weights": expand(results("encoders/{{encoder}}/{seed}/encoder.safetensors"), seed=SEEDS),
        "models": expand(results("models/linear/{{encoder}}/{seed}.json"), seed=SEEDS),
        "folds": expand(
            results("models/folds/{{encoder}}/{seed}/{split}.json"), seed=SEEDS, split=SPLITS
        ),
        "features": expand(
            results(f"features/{EVALUATION}/{{{{encoder}}}}/{{seed}}.parquet"), seed=SEEDS
        ),
    },
}


rule bundle:
    """Pack what a prediction of a new CT needs, and what is known of it."""
    input:
        unpack(lambda wildcards: PACKED[wildcards.protocol.removesuffix("_nested")]),
        predictions=expand(
            results("predictions/{{protocol}}/{{encoder}}/{seed}/{split}.csv"),
            seed=SEEDS,
            split=SPLITS,
        ),
        cohorts=expand(results("cohorts/{cohort}.csv"), cohort=STUDIED),
        measures=results("tables/measures.csv"),
        external=results("tables/external.csv") if EXTERNAL else [],
    output:
        results("bundles/{protocol}/{encoder}.zip"),
    log:
        results("logs/bundle/{protocol}/{encoder}.log"),
    benchmark:
        results("benchmarks/bundle/{protocol}/{encoder}.tsv")
    params:
        code=code("bundle"),
        run=config["run"],
        cohorts=STUDIED,
        evaluation=EVALUATION,
        seeds=config["experiment"]["seeds"],
        settings={
            key: config[key]
            for key in (
                *("cohorts", "ingest", "segment", "slices", "tensors", "network", "evaluation"),
            )
        },
        checks=checks(EVALUATION),
        disclaimers=DISCLAIMERS,
        licence=config["bundle"]["licence"],
    script:
        "../scripts/bundle.py"
