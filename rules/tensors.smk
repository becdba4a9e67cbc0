rule tensors:
    """Clip the kept slices to the window and cache them, one compressed chunk a slice."""
    input:
        volume=results("volumes/{cohort}/{case}.nii.gz"),
        slices=results("slices/{cohort}/{case}.csv"),
    output:
        results("tensors/{cohort}/{case}.b2nd"),
    log:
        results("logs/tensors/{cohort}/{case}.log"),
    group:
        "images"
    conda:
        "../envs/hepatoclr.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        *code("tensors"),
        settings=config["tensors"],
    script:
        "../scripts/tensors.py"
