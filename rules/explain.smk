rule explain:
    """Map what the linear model looked at, in its most confident right and wrong patients."""
    input:
        volumes=of_cases("volumes/{cohort}/{case}.nii.gz", EVALUATION),
        livers=of_cases("livers/{cohort}/{case}.nii.gz", EVALUATION),
        slices=of_cases("slices/{cohort}/{case}.csv", EVALUATION),
        tensors=of_cases("tensors/{cohort}/{case}.b2nd", EVALUATION),
        encoder=results(f"encoders/{{encoder}}/{FIRST_SEED}/encoder.safetensors"),
        features=results(f"features/{EVALUATION}/{{encoder}}/{FIRST_SEED}.parquet"),
        predictions=[
            results(f"predictions/linear/{{encoder}}/{FIRST_SEED}/{split}.csv")
            for split, (repeat, _) in SPLITS.items()
            if repeat == 1
        ],
        split=results("splits/repeat1.csv"),
    output:
        figure=captioned("figures/explanations_{encoder}.svg", "explanations", "Figures"),
        png=results("figures/explanations_{encoder}.png"),
        table=captioned("explanations/{encoder}.csv", "explanations", "Tables"),
    log:
        results("logs/explain/{encoder}.log"),
    benchmark:
        results("benchmarks/explain/{encoder}.tsv")
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        code=code("explain"),
        network=config["network"],
        window=config["tensors"]["window"],
        settings=config["linear"],
        threshold=config["evaluation"]["threshold"],
        seed=config["seed"],
        disclaimers=DISCLAIMERS,
    script:
        "../scripts/explain.py"
