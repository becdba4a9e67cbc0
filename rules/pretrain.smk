rule initialise:
    """Draw the random weights that every training starts from; as an encoder, the baseline."""
    output:
        results("encoders/none/encoder.safetensors"),
    log:
        results("logs/initialise.log"),
    benchmark:
        results("benchmarks/initialise.tsv")
    conda:
        "../envs/hepatoclr.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        *code("initialise"),
        network=config["network"],
        seed=config["seed"],
    message:
        "Drawing random weights"
    script:
        "../scripts/initialise.py"


rule pretrain:
    """Pretrain an encoder on the weak labels; first of all jobs, since the most waits for it."""
    input:
        cohorts=expand(results("cohorts/{cohort}.csv"), cohort=with_role("pretraining")),
        tensors=tables_of("tensors", *with_role("pretraining")),
    output:
        encoder=results("encoders/{encoder}/encoder.safetensors"),
        history=results("encoders/{encoder}/history.csv"),
        metadata=results("encoders/{encoder}/metadata.json"),
    log:
        results("logs/pretrain/{encoder}.log"),
    benchmark:
        results("benchmarks/pretrain/{encoder}.tsv")
    priority: 1
    conda:
        "../envs/hepatoclr.yaml"
    threads: 1
    resources:
        mem_mb=16000,
        gpu=GPU * config["pretraining"]["processes"],
        runtime=2880,
    params:
        *code("pretrain"),
        method=lambda wildcards: method_code(wildcards.encoder),
        tensors=expand(results("tensors/{cohort}"), cohort=with_role("pretraining")),
        spec=lambda wildcards: ENCODERS[wildcards.encoder],
        training=training("pretraining"),
        tensorboard=results("logs/tensorboard/{encoder}"),
    message:
        "Pretraining {wildcards.encoder}"
    script:
        "../scripts/pretrain.py"
