rule slices:
    """Keep the central share of the axial slices that hold liver."""
    input:
        liver=results("livers/{cohort}/{case}.nii.gz"),
        facts=results("livers/{cohort}/{case}.json"),
    output:
        results("slices/{cohort}/{case}.csv"),
    log:
        results("logs/slices/{cohort}/{case}.log"),
    benchmark:
        results("benchmarks/slices/{cohort}/{case}.tsv")
    group:
        "cache"
    conda:
        "../envs/hepatoclr.yaml"
    params:
        code=code("slices"),
        settings=config["slices"],
    script:
        "../scripts/slices.py"
