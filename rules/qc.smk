rule qc_image:
    """Draw a case for people to judge by: slices, the liver's outline, intensities."""
    input:
        volume=results("volumes/{cohort}/{case}.nii.gz"),
        liver=results("livers/{cohort}/{case}.nii.gz"),
        facts=results("slices/{cohort}/{case}.json"),
        slices=results("slices/{cohort}/{case}.csv"),
    output:
        results("qc/{cohort}/{case}.png"),
    log:
        results("logs/qc_image/{cohort}/{case}.log"),
    benchmark:
        results("benchmarks/qc_image/{cohort}/{case}.tsv")
    group:
        "cache"
    params:
        code=code("qc_image"),
        window=config["tensors"]["window"],
        synthetic=lambda wildcards: wildcards.cohort in SIMULATED,
    script:
        "../scripts/qc_image.py"


rule qc_page:
    """Put the cases of a cohort on a page, with their images."""
    input:
        cohort=results("cohorts/{cohort}.csv"),
        images=lambda wildcards: of_cases("qc/{cohort}/{case}.png", wildcards.cohort),
    output:
        results("qc/{cohort}.html"),
    log:
        results("logs/qc_page/{cohort}.log"),
    benchmark:
        results("benchmarks/qc_page/{cohort}.tsv")
    params:
        code=code("qc_page", "hepatoclr/reporting/templates/qc.html.j2"),
        run=config["run"],
        synthetic=lambda wildcards: wildcards.cohort in SIMULATED,
    script:
        "../scripts/qc_page.py"
