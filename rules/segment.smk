rule segment:
    """Find the liver."""
    input:
        volume=results("volumes/{cohort}/{case}.nii.gz"),
        facts=results("volumes/{cohort}/{case}.json"),
        mask=mask_source,
    output:
        liver=results("livers/{cohort}/{case}.nii.gz"),
        facts=results("livers/{cohort}/{case}.json"),
    log:
        results("logs/segment/{cohort}/{case}.log"),
    benchmark:
        results("benchmarks/segment/{cohort}/{case}.tsv")
    conda:
        "../envs/hepatoclr.yaml"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        *code("segment"),
        given=given_mask,
        settings=section("segment", "backend", "model"),
    message:
        "Segmenting the liver of {wildcards.cohort} {wildcards.case}"
    script:
        "../scripts/segment.py"
