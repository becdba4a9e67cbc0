rule finetune:
    """Predict patients by the whole network, trained on the strong labels of the other folds."""
    input:
        encoder=results("encoders/{encoder}/seed{seed}/encoder.safetensors"),
        cohort=results(f"cohorts/{EVALUATION}.csv"),
        tensors=of_cases("tensors/{cohort}/{case}.b2nd", EVALUATION),
        split=split_of,
        leakage=LEAKAGE,
    output:
        predictions=update(results("predictions/finetune/{encoder}/seed{seed}/{split}.csv")),
        metadata=update(results("predictions/finetune/{encoder}/seed{seed}/{split}.json")),
    log:
        results("logs/finetune/{encoder}/seed{seed}/{split}.log"),
    benchmark:
        results("benchmarks/finetune/{encoder}/seed{seed}/{split}.tsv")
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=600,
        gpu=TRAINING_GPU,
    params:
        code=code("finetune"),
        encoder="{encoder}",
        fraction=1.0,
        folds=lambda wildcards: SPLITS[wildcards.split][1],
        training=training("finetune"),
        seed=lambda wildcards: int(wildcards.seed),
    message:
        "Fine-tuning {params.encoder}, {wildcards.split}: ends at once where nothing changed"
    script:
        "../scripts/finetune.py"


use rule finetune as learning_curve with:
    input:
        encoder=results("encoders/none/seed{seed}/encoder.safetensors"),
        cohort=results(f"cohorts/{EVALUATION}.csv"),
        tensors=of_cases("tensors/{cohort}/{case}.b2nd", EVALUATION),
        split=split_of,
        leakage=LEAKAGE,
    output:
        predictions=update(results("predictions/learning_curve/{fraction}/seed{seed}/{split}.csv")),
        metadata=update(results("predictions/learning_curve/{fraction}/seed{seed}/{split}.json")),
    log:
        results("logs/learning_curve/{fraction}/seed{seed}/{split}.log"),
    benchmark:
        results("benchmarks/learning_curve/{fraction}/seed{seed}/{split}.tsv")
    params:
        code=code("finetune"),
        encoder=experiment.NONE,
        fraction=lambda wildcards: float(wildcards.fraction),
        folds=lambda wildcards: SPLITS[wildcards.split][1],
        training=training("finetune"),
        seed=lambda wildcards: int(wildcards.seed),
