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
    group:
        "cache"
    params:
        code=code("tensors"),
        settings=config["tensors"],
    script:
        "../scripts/tensors.py"
