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


PRETRAININGS = experiment.shared_jobs(
    "pretrain", "encoder", list(ENCODERS), config["trainings_per_job"]
)


for name, encoders in PRETRAININGS.items():
    folders = [results(f"encoders/{encoder}/seed{{seed}}") for encoder in encoders]

    rule:
        name:
            name
        input:
            cohorts=expand(results("cohorts/{cohort}.csv"), cohort=PRETRAINING),
            tensors=of_cases("tensors/{cohort}/{case}.b2nd", *PRETRAINING),
            leakage=LEAKAGE,
        output:
            encoder=kept([f"{folder}/encoder.safetensors" for folder in folders]),
            history=kept([f"{folder}/history.csv" for folder in folders]),
            metadata=kept([f"{folder}/metadata.json" for folder in folders]),
        log:
            results(f"logs/pretrain/{encoders[0]}/seed{{seed}}.log"),
        benchmark:
            results(f"benchmarks/pretrain/{encoders[0]}/seed{{seed}}.tsv")
        wildcard_constraints:
            encoder="|".join(map(re.escape, ENCODERS)),
        priority: 1
        resources:
            mem_mb=lambda wildcards, attempt: 16000 * attempt,
            runtime=2880 * len(encoders),
            gpu=TRAINING_GPU * config["trainer"]["devices"],
        params:
            code=lambda wildcards, encoders=encoders: [
                code("pretrain", f"hepatoclr/learning/methods/{ENCODERS[encoder]['method']}.py")
                for encoder in experiment.filled(encoders, wildcards)
            ],
            specs=lambda wildcards, encoders=encoders: [
                ENCODERS[encoder] for encoder in experiment.filled(encoders, wildcards)
            ],
            training=training("pretraining"),
            seed=lambda wildcards: int(wildcards.seed),
            logs=[results(f"logs/training/{encoder}/seed{{seed}}") for encoder in encoders],
        message:
            f"Pretraining {experiment.listed(encoders)}, seed {{wildcards.seed}}: ends at once where nothing changed"
        script:
            "../scripts/pretrain.py"
