rule segment:
    """Find the liver in a CT."""
    input:
        volume=results("volumes/{cohort}/{case}.nii.gz"),
        facts=results("volumes/{cohort}/{case}.json"),
        mask=source("liver_mask") if PROVIDED else [],
    output:
        liver=results("livers/{cohort}/{case}.nii.gz"),
        facts=results("livers/{cohort}/{case}.json"),
    log:
        results("logs/segment/{cohort}/{case}.log"),
    retries: 2
    group:
        "images"
    conda:
        "../envs/hepatoclr.yaml"
    resources:
        mem_mb=growing(8000),
        gpu=0 if PROVIDED else GPU,
        runtime=growing(60),
        attempt=attempts,
    params:
        *code("segment", BACKEND),
        mask=of_row("liver_mask") if PROVIDED else None,
        label=of_row("liver_label"),
        settings=config["segment"],
        device=config["device"],
        on_bad_case=config["on_bad_case"],
    script:
        "../scripts/segment.py"
