rule segment:
    """Find the liver."""
    input:
        volume=results("volumes/{cohort}/{case}.nii.gz"),
        facts=results("volumes/{cohort}/{case}.json"),
        mask=given_mask,
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
        mask=lambda wildcards: CASES[wildcards.cohort, wildcards.case].liver_mask,
        label=lambda wildcards: CASES[wildcards.cohort, wildcards.case].liver_label,
        settings=config["segment"],
        device=config["device"],
    message:
        "Segmenting the liver of {wildcards.cohort} {wildcards.case}"
    script:
        "../scripts/segment.py"
