rule slices:
    """Keep the central share of the axial slices that hold liver."""
    input:
        liver=results("livers/{cohort}/{case}.nii.gz"),
        facts=results("livers/{cohort}/{case}.json"),
    output:
        results("slices/{cohort}/{case}.csv"),
    log:
        results("logs/slices/{cohort}/{case}.log"),
    group:
        "images"
    conda:
        "../envs/hepatoclr.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        *code("slices"),
        settings=config["slices"],
    script:
        "../scripts/slices.py"
