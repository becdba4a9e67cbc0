rule random_encoder:
    """Draw the random weights that every training starts from; as an encoder, the baseline."""
    output:
        results("encoders/none/seed{seed}/encoder.safetensors"),
    log:
        results("logs/random_encoder/seed{seed}.log"),
    benchmark:
        results("benchmarks/random_encoder/seed{seed}.tsv")
    params:
        code=code("random_encoder"),
        network=config["network"],
        seed=lambda wildcards: int(wildcards.seed),
    script:
        "../scripts/random_encoder.py"


rule pretrain:
    """Pretrain an encoder on the weak labels; first of all jobs, since the most waits for it."""
    input:
        cohorts=expand(results("cohorts/{cohort}.csv"), cohort=PRETRAINING),
        tensors=of_cases("tensors/{cohort}/{case}.b2nd", *PRETRAINING),
        leakage=LEAKAGE,
    output:
        encoder=update(results("encoders/{encoder}/seed{seed}/encoder.safetensors")),
        history=update(results("encoders/{encoder}/seed{seed}/history.csv")),
        metadata=update(results("encoders/{encoder}/seed{seed}/metadata.json")),
    log:
        results("logs/pretrain/{encoder}/seed{seed}.log"),
    benchmark:
        results("benchmarks/pretrain/{encoder}/seed{seed}.tsv")
    wildcard_constraints:
        encoder="|".join(map(re.escape, ENCODERS)),
    priority: 1
    resources:
        mem_mb=lambda wildcards, attempt: 16000 * attempt,
        runtime=2880,
        gpu=TRAINING_GPU * config["trainer"]["devices"],
    params:
        code=lambda wildcards: code(
            "pretrain", f"hepatoclr/learning/methods/{ENCODERS[wildcards.encoder]['method']}.py"
        ),
        spec=lambda wildcards: ENCODERS[wildcards.encoder],
        training=training("pretraining"),
        seed=lambda wildcards: int(wildcards.seed),
        logs=results("logs/training/{encoder}/seed{seed}"),
    message:
        "Pretraining {wildcards.encoder}, seed {wildcards.seed}: ends at once where nothing changed"
    script:
        "../scripts/pretrain.py"
