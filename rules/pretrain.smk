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


def specs(wildcards, encoders):
    """What the pretrainings of a job are."""
    return [ENCODERS[encoder.format(**dict(wildcards.items()))] for encoder in encoders]


for name, encoders in PRETRAININGS.items():

    rule:
        name:
            name
        input:
            cohorts=expand(results("cohorts/{cohort}.csv"), cohort=PRETRAINING),
            tensors=of_cases("tensors/{cohort}/{case}.b2nd", *PRETRAINING),
            leakage=LEAKAGE,
        output:
            **{
                Path(file).stem: update(
                    expand(
                        results(f"encoders/{{encoder}}/seed{{{{seed}}}}/{file}"), encoder=encoders
                    )
                )
                for file in ("encoder.safetensors", "history.csv", "metadata.json")
            },
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
                code("pretrain", f"hepatoclr/learning/methods/{spec['method']}.py")
                for spec in specs(wildcards, encoders)
            ],
            specs=lambda wildcards, encoders=encoders: specs(wildcards, encoders),
            training=training("pretraining"),
            seed=lambda wildcards: int(wildcards.seed),
            logs=expand(results("logs/training/{encoder}/seed{{seed}}"), encoder=encoders),
        message:
            f"Pretraining {experiment.listed(encoders)}, seed {{wildcards.seed}}: ends at once where nothing changed"
        script:
            "../scripts/pretrain.py"
