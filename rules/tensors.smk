rule tensors:
    """Clip the kept slices to the window and cache them, one compressed chunk a slice."""
    input:
        volume=results("volumes/{cohort}/{case}.nii.gz"),
        slices=results("slices/{cohort}/{case}.csv"),
    output:
        results("tensors/{cohort}/{case}.b2nd"),
    log:
        results("logs/tensors/{cohort}/{case}.log"),
    benchmark:
        results("benchmarks/tensors/{cohort}/{case}.tsv")
    conda:
        "../envs/hepatoclr.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        *code("tensors"),
        settings=config["tensors"],
    message:
        "Caching the slices of {wildcards.cohort} {wildcards.case}"
    script:
        "../scripts/tensors.py"
