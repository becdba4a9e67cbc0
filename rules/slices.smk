rule slices:
    """Keep the central share of the axial slices that hold liver; measure a corrected mask anew."""
    input:
        liver=results("livers/{cohort}/{case}.nii.gz"),
        facts=results("livers/{cohort}/{case}.json"),
        volume=results("volumes/{cohort}/{case}.nii.gz"),
    output:
        kept=results("slices/{cohort}/{case}.csv"),
        facts=results("slices/{cohort}/{case}.json"),
    log:
        results("logs/slices/{cohort}/{case}.log"),
    benchmark:
        results("benchmarks/slices/{cohort}/{case}.tsv")
    group:
        "cache"
    params:
        code=code("slices"),
        settings=config["slices"],
        on_bad_case=config["on_bad_case"],
    script:
        "../scripts/slices.py"
