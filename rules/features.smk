rule features:
    """Map every slice of a cohort to its feature vector under an encoder."""
    input:
        encoder=results("encoders/{encoder}/seed{seed}/encoder.safetensors"),
        cohort=results("cohorts/{cohort}.csv"),
        tensors=lambda wildcards: of_cases("tensors/{cohort}/{case}.b2nd", wildcards.cohort),
    output:
        results("features/{cohort}/{encoder}/seed{seed}.parquet"),
    log:
        results("logs/features/{cohort}/{encoder}/seed{seed}.log"),
    benchmark:
        results("benchmarks/features/{cohort}/{encoder}/seed{seed}.tsv")
    conda:
        "../envs/hepatoclr.yaml"
    threads: 1
    resources:
        mem_mb=growing(8000),
        gpu=GPU,
        runtime=growing(120),
    params:
        *code("features"),
        tensors=results("tensors/{cohort}"),
        window=config["tensors"]["window"],
        network=config["network"],
        device=config["device"],
    message:
        "Extracting the features of {wildcards.cohort} under {wildcards.encoder}, seed {wildcards.seed}"
    script:
        "../scripts/features.py"
