PROVIDED = config["segment"]["backend"] == "provided"


rule segment:
    """Find the liver in a CT; a mask that a person corrected stays."""
    input:
        volume=results("volumes/{cohort}/{case}.nii.gz"),
        facts=results("volumes/{cohort}/{case}.json"),
        mask=source("liver_mask") if PROVIDED else [],
    output:
        liver=kept(results("livers/{cohort}/{case}.nii.gz")),
        facts=kept(results("livers/{cohort}/{case}.json")),
    log:
        results("logs/segment/{cohort}/{case}.log"),
    benchmark:
        results("benchmarks/segment/{cohort}/{case}.tsv")
    retries: 2
    group:
        "segment"
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
        gpu=0 if PROVIDED else GPU,
        attempt=attempts,
    params:
        code=code("segment", BACKEND),
        mask=name_in_source("liver_mask") if PROVIDED else "",
        stamp=stamp("liver_mask") if PROVIDED else "",
        label=of_row("liver_label"),
        settings=config["segment"],
        device=config["device"],
        on_bad_case=config["on_bad_case"],
    script:
        "../scripts/segment.py"
