rule features:
    """Map every slice of a cohort to its feature vector under an encoder."""
    input:
        encoder=results("encoders/{encoder}/encoder.safetensors"),
        cohort=results("cohorts/{cohort}.csv"),
        tensors=lambda wildcards: tables_of("tensors", wildcards.cohort),
    output:
        results("features/{cohort}/{encoder}.parquet"),
    log:
        results("logs/features/{cohort}/{encoder}.log"),
    benchmark:
        results("benchmarks/features/{cohort}/{encoder}.tsv")
    conda:
        "../envs/hepatoclr.yaml"
    threads: 1
    resources:
        mem_mb=8000,
        gpu=GPU,
        runtime=120,
    params:
        *code("features"),
        tensors=results("tensors/{cohort}"),
        window=config["tensors"]["window"],
        network=config["network"],
        device=config["device"],
    message:
        "Extracting the features of {wildcards.cohort} under {wildcards.encoder}"
    script:
        "../scripts/features.py"
