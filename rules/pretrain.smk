ruleorder: initialise > pretrain


rule initialise:
    """Draw the random weights that every training starts from; as an encoder, the baseline."""
    output:
        results("encoders/none/seed{seed}/encoder.safetensors"),
    log:
        results("logs/initialise/seed{seed}.log"),
    benchmark:
        results("benchmarks/initialise/seed{seed}.tsv")
    conda:
        "../envs/hepatoclr.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        *code("initialise"),
        network=config["network"],
        seed=lambda wildcards: int(wildcards.seed),
    message:
        "Drawing random weights, seed {wildcards.seed}"
    script:
        "../scripts/initialise.py"


rule pretrain:
    """Pretrain an encoder on the weak labels; first of all jobs, since the most waits for it."""
    input:
        cohorts=expand(results("cohorts/{cohort}.csv"), cohort=with_role("pretraining")),
        tensors=of_cases("tensors/{cohort}/{case}.b2nd", *with_role("pretraining")),
        guards=ancient(GUARDS),
    output:
        encoder=update(results("encoders/{encoder}/seed{seed}/encoder.safetensors")),
        history=update(results("encoders/{encoder}/seed{seed}/history.csv")),
        metadata=update(results("encoders/{encoder}/seed{seed}/metadata.json")),
    log:
        results("logs/pretrain/{encoder}/seed{seed}.log"),
    benchmark:
        results("benchmarks/pretrain/{encoder}/seed{seed}.tsv")
    priority: 1
    conda:
        "../envs/hepatoclr.yaml"
    threads: 1
    resources:
        mem_mb=growing(16000),
        gpu=GPU * config["pretraining"]["processes"],
        runtime=2880,
    params:
        *code("pretrain"),
        method=lambda wildcards: method_code(wildcards.encoder),
        tensors=expand(results("tensors/{cohort}"), cohort=with_role("pretraining")),
        spec=lambda wildcards: ENCODERS[wildcards.encoder],
        training=training("pretraining"),
        seed=lambda wildcards: int(wildcards.seed),
        tensorboard=results("logs/tensorboard/{encoder}/seed{seed}"),
    message:
        "Pretraining {wildcards.encoder}, seed {wildcards.seed}"
    script:
        "../scripts/pretrain.py"
