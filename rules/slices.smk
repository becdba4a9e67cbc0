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
    conda:
        "../envs/hepatoclr.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        *code("slices"),
        settings=config["slices"],
    message:
        "Choosing slices of {wildcards.cohort} {wildcards.case}"
    script:
        "../scripts/slices.py"
