FINE_TUNINGS = {
    "finetune": ("encoder", EVALUATED),
    "learning_curve": (
        "fraction",
        [fraction for fraction in config["experiment"]["fractions"] if fraction < 1],
    ),
}


for kind, (wildcard, values) in FINE_TUNINGS.items():
    for name, shared in experiment.shared_jobs(
        kind, wildcard, values, config["trainings_per_job"]
    ).items():
        starts = shared if kind == "finetune" else [experiment.NONE] * len(shared)
        folders = [f"{kind}/{one}" for one in shared]

        rule:
            name:
                name
            input:
                encoders=[
                    results(f"encoders/{start}/seed{{seed}}/encoder.safetensors")
                    for start in starts
                ],
                cohort=results(f"cohorts/{EVALUATION}.csv"),
                tensors=of_cases("tensors/{cohort}/{case}.b2nd", EVALUATION),
                split=split_of,
                leakage=LEAKAGE,
            output:
                predictions=kept(
                    [
                        results(f"predictions/{folder}/seed{{seed}}/{{split}}.csv")
                        for folder in folders
                    ]
                ),
                metadata=kept(
                    [
                        results(f"predictions/{folder}/seed{{seed}}/{{split}}.json")
                        for folder in folders
                    ]
                ),
            log:
                results(f"logs/{folders[0]}/seed{{seed}}/{{split}}.log"),
            benchmark:
                results(f"benchmarks/{folders[0]}/seed{{seed}}/{{split}}.tsv")
            resources:
                mem_mb=lambda wildcards, attempt: 8000 * attempt,
                runtime=600 * len(shared),
                gpu=TRAINING_GPU,
            params:
                code=code("finetune"),
                trainings=lambda wildcards, kind=kind, shared=shared: [
                    experiment.fine_tuning(kind, name)
                    for name in experiment.filled(shared, wildcards)
                ],
                folds=lambda wildcards: SPLITS[wildcards.split][1],
                training=training("finetune"),
                seed=lambda wildcards: int(wildcards.seed),
            message:
                f"Fine-tuning {experiment.listed(folders)}, {{wildcards.split}}: ends at once where nothing changed"
            script:
                "../scripts/finetune.py"


TRAININGS = [  # what each training was made with
    *expand(results("encoders/{encoder}/{seed}/metadata.json"), encoder=ENCODERS, seed=SEEDS),
    *expand(
        results("predictions/{training}/{seed}/{split}.json"),
        training=[
            f"{kind}/{value}" for kind, (_, values) in FINE_TUNINGS.items() for value in values
        ],
        seed=SEEDS,
        split=SPLITS,
    ),
]
