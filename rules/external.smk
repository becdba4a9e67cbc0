EXTERNAL_TABLES = ["external", "hospitals", "recalibration", "external_comparisons"] * bool(
    EXTERNAL
)
FIGURES += [
    *("external_drop", "external_roc", "external_calibration", "external_recalibration")
] * bool(EXTERNAL)
EXTERNAL_PREDICTIONS = expand(
    results("predictions/external/{cohort}/{evaluation}/{seed}.csv"),
    cohort=EXTERNAL,
    evaluation=experiment.final(EVALUATED, BETAS),
    seed=SEEDS,
)
FINAL_MODELS = expand(
    [
        results("models/linear/{encoder}/{seed}.json"),
        results("models/finetune/{encoder}/{seed}.safetensors"),
        results("models/finetune/{encoder}/{seed}.json"),
    ],
    encoder=EVALUATED * bool(EXTERNAL),
    seed=SEEDS,
)
LINEAR_MODELS = {
    "final": [results("models/linear/{encoder}/seed{seed}.json")],
    "folds": expand(results("models/folds/{{encoder}}/seed{{seed}}/{split}.json"), split=SPLITS),
}[config["external"]["models"]]


rule external_leakage:
    """See that no patient and no CT of an external cohort was trained on; nothing is trained again for it."""
    input:
        cohorts=lambda wildcards: expand(
            results("cohorts/{cohort}.csv"), cohort=[*STUDIED, wildcards.cohort]
        ),
    output:
        results("external/{cohort}/leakage.csv"),
    log:
        results("logs/external_leakage/{cohort}.log"),
    benchmark:
        results("benchmarks/external_leakage/{cohort}.tsv")
    params:
        code=code("external_leakage"),
        cohorts=lambda wildcards: [*STUDIED, wildcards.cohort],
    script:
        "../scripts/external_leakage.py"


rule final_linear:
    """Fit the linear protocols on all evaluation patients."""
    input:
        features=results(f"features/{EVALUATION}/{{encoder}}/seed{{seed}}.parquet"),
        cohort=results(f"cohorts/{EVALUATION}.csv"),
        leakage=LEAKAGE,
    output:
        results("models/linear/{encoder}/seed{seed}.json"),
    log:
        results("logs/final_linear/{encoder}/seed{seed}.log"),
    benchmark:
        results("benchmarks/final_linear/{encoder}/seed{seed}.tsv")
    params:
        code=code("final_linear"),
        settings=config["linear"],
    script:
        "../scripts/final_linear.py"


rule final_finetune:
    """Fine-tune a network on all evaluation patients."""
    input:
        encoder=results("encoders/{encoder}/seed{seed}/encoder.safetensors"),
        cohort=results(f"cohorts/{EVALUATION}.csv"),
        tensors=of_cases("tensors/{cohort}/{case}.b2nd", EVALUATION),
        split=results("splits/repeat1.csv"),
        leakage=LEAKAGE,
    output:
        model=kept(results("models/finetune/{encoder}/seed{seed}.safetensors")),
        metadata=kept(results("models/finetune/{encoder}/seed{seed}.json")),
    log:
        results("logs/final_finetune/{encoder}/seed{seed}.log"),
    benchmark:
        results("benchmarks/final_finetune/{encoder}/seed{seed}.tsv")
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=600,
        gpu=TRAINING_GPU,
    params:
        code=code("final_finetune"),
        training=training("finetune"),
    script:
        "../scripts/final_finetune.py"


rule external_linear:
    """Predict an external cohort by the linear models."""
    input:
        models=LINEAR_MODELS,
        features=results("features/{cohort}/{encoder}/seed{seed}.parquet"),
        cohort=results("cohorts/{cohort}.csv"),
        leakage=results("external/{cohort}/leakage.csv"),
    output:
        linear=results("predictions/external/{cohort}/linear/{encoder}/seed{seed}.csv"),
        linear_nested=results(
            "predictions/external/{cohort}/linear_nested/{encoder}/seed{seed}.csv"
        ),
    log:
        results("logs/external_linear/{cohort}/{encoder}/seed{seed}.log"),
    benchmark:
        results("benchmarks/external_linear/{cohort}/{encoder}/seed{seed}.tsv")
    params:
        code=code("external_linear"),
    script:
        "../scripts/external_linear.py"


rule external_finetune:
    """Predict an external cohort by a fine-tuned network."""
    input:
        model=results("models/finetune/{encoder}/seed{seed}.safetensors"),
        metadata=results("models/finetune/{encoder}/seed{seed}.json"),
        cohort=results("cohorts/{cohort}.csv"),
        tensors=lambda wildcards: of_cases("tensors/{cohort}/{case}.b2nd", wildcards.cohort),
        leakage=results("external/{cohort}/leakage.csv"),
    output:
        results("predictions/external/{cohort}/finetune/{encoder}/seed{seed}.csv"),
    log:
        results("logs/external_finetune/{cohort}/{encoder}/seed{seed}.log"),
    benchmark:
        results("benchmarks/external_finetune/{cohort}/{encoder}/seed{seed}.tsv")
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
        gpu=GPU,
    params:
        code=code("external_finetune"),
        network=config["network"],
        window=config["tensors"]["window"],
        device=config["device"],
    script:
        "../scripts/external_finetune.py"


rule external_beta:
    """Take the predictions of the beta that all evaluation patients choose, as the nested encoder's."""
    input:
        models=[results(f"models/linear/{encoder}/seed{{seed}}.json") for encoder in BETAS.values()],
        linear_nested=[
            results(f"predictions/external/{{cohort}}/linear_nested/{encoder}/seed{{seed}}.csv")
            for encoder in BETAS.values()
        ],
        finetune=[
            results(f"predictions/external/{{cohort}}/finetune/{encoder}/seed{{seed}}.csv")
            for encoder in BETAS.values()
        ],
    output:
        linear_nested=results(
            f"predictions/external/{{cohort}}/linear_nested/{experiment.NESTED}/seed{{seed}}.csv"
        ),
        finetune=results(
            f"predictions/external/{{cohort}}/finetune/{experiment.NESTED}/seed{{seed}}.csv"
        ),
    log:
        results("logs/external_beta/{cohort}/seed{seed}.log"),
    benchmark:
        results("benchmarks/external_beta/{cohort}/seed{seed}.tsv")
    params:
        code=code("external_beta"),
        betas=list(BETAS),
    script:
        "../scripts/external_beta.py"


rule external:
    """Evaluate the final models in the external cohorts, beside what they did inside."""
    input:
        predictions=PREDICTIONS,
        external=EXTERNAL_PREDICTIONS,
    output:
        **table("external"),
        **figure("external_drop"),
        **figure("external_roc"),
        **figure("external_calibration"),
        **figure("external_recalibration"),
        hospitals=captioned("tables/hospitals.csv", "hospitals", "Tables"),
        recalibration=captioned("tables/recalibration.csv", "recalibration", "Tables"),
        comparisons=captioned("tables/external_comparisons.csv", "external_comparisons", "Tables"),
    log:
        results("logs/external.log"),
    benchmark:
        results("benchmarks/external.tsv")
    params:
        code=code("external"),
        cohorts=EXTERNAL,
        methods=METHODS,
        disclaimers=DISCLAIMERS,
        threshold=config["evaluation"]["threshold"],
        settings=section("external", "patients", "draws"),
        seed=config["seed"],
    script:
        "../scripts/external.py"
