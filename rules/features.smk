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
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=lambda wildcards, attempt: 120 * attempt,
        gpu=GPU,
    params:
        code=code("features"),
        window=config["tensors"]["window"],
        network=config["network"],
        device=config["device"],
    script:
        "../scripts/features.py"
