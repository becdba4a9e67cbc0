rule explain:
    """Map what the linear model looked at, in its most confident right and wrong patients."""
    input:
        cases=[
            path
            for name in ("volumes/{cohort}/{case}.nii.gz", "livers/{cohort}/{case}.nii.gz",
                         "slices/{cohort}/{case}.csv", "tensors/{cohort}/{case}.b2nd")
            for path in of_cases(name, EVALUATION)
        ],
        encoder=results(f"encoders/{{encoder}}/{FIRST_SEED}/encoder.safetensors"),
        features=results(f"features/{EVALUATION}/{{encoder}}/{FIRST_SEED}.parquet"),
        predictions=[
            results(f"predictions/linear/{{encoder}}/{FIRST_SEED}/{part}.csv")
            for part, (repeat, _) in PARTS.items()
            if repeat == 1
        ],
        split=results("splits/repeat1.csv"),
    output:
        figure=report(
            results("figures/explanations_{encoder}.svg"),
            caption="captions/explanations.rst",
            category="Figures",
        ),
        png=results("figures/explanations_{encoder}.png"),
        table=report(
            results("explanations/{encoder}.csv"),
            caption="captions/explanations.rst",
            category="Tables",
        ),
    log:
        results("logs/explain/{encoder}.log"),
    benchmark:
        results("benchmarks/explain/{encoder}.tsv")
    conda:
        "../envs/hepatoclr.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        *code("explain"),
        folders={
            kind: results(f"{kind}/{EVALUATION}")
            for kind in ("volumes", "livers", "slices", "tensors")
        },
        settings={
            "network": config["network"],
            "window": config["tensors"]["window"],
            "settings": config["linear"],
            "seed": config["seed"],
            "disclaimers": DISCLAIMERS,
        },
    message:
        "Explaining the predictions of {wildcards.encoder}"
    script:
        "../scripts/explain.py"
