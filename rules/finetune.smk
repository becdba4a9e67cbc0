rule finetune:
    """Predict patients by the whole network, trained on the strong labels of the other folds."""
    input:
        encoder=results("encoders/{encoder}/seed{seed}/encoder.safetensors"),
        cohort=results(f"cohorts/{EVALUATION}.csv"),
        tensors=of_cases("tensors/{cohort}/{case}.b2nd", EVALUATION),
        split=split_of,
        guards=ancient(GUARDS),
    output:
        update(results("predictions/finetune/{encoder}/seed{seed}/{part}.csv")),
    log:
        results("logs/finetune/{encoder}/seed{seed}/{part}.log"),
    benchmark:
        results("benchmarks/finetune/{encoder}/seed{seed}/{part}.tsv")
    conda:
        "../envs/hepatoclr.yaml"
    threads: 1
    resources:
        mem_mb=growing(8000),
        gpu=GPU,
        runtime=600,
    params:
        *code("finetune"),
        tensors=results(f"tensors/{EVALUATION}"),
        encoder="{encoder}",
        fraction=1.0,
        folds=lambda wildcards: PARTS[wildcards.part][1],
        training=training("finetune"),
        seed=lambda wildcards: int(wildcards.seed),
    message:
        "Fine-tuning {wildcards.encoder}, seed {wildcards.seed}, {wildcards.part}"
    script:
        "../scripts/finetune.py"


use rule finetune as learning_curve with:
    input:
        encoder=results("encoders/none/seed{seed}/encoder.safetensors"),
        cohort=results(f"cohorts/{EVALUATION}.csv"),
        tensors=of_cases("tensors/{cohort}/{case}.b2nd", EVALUATION),
        split=split_of,
        guards=ancient(GUARDS),
    output:
        update(results("predictions/learning_curve/{fraction}/seed{seed}/{part}.csv")),
    log:
        results("logs/learning_curve/{fraction}/seed{seed}/{part}.log"),
    benchmark:
        results("benchmarks/learning_curve/{fraction}/seed{seed}/{part}.tsv")
    params:
        *code("finetune"),
        tensors=results(f"tensors/{EVALUATION}"),
        encoder="none",
        fraction=lambda wildcards: float(wildcards.fraction),
        folds=lambda wildcards: PARTS[wildcards.part][1],
        training=training("finetune"),
        seed=lambda wildcards: int(wildcards.seed),
    message:
        "Training on {wildcards.fraction} of the patients, seed {wildcards.seed}, {wildcards.part}"
