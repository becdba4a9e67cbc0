rule picture:
    """Draw a case for people to judge by: slices, the liver's outline, intensities."""
    input:
        volume=results("volumes/{cohort}/{case}.nii.gz"),
        liver=results("livers/{cohort}/{case}.nii.gz"),
        facts=results("livers/{cohort}/{case}.json"),
        kept=results("slices/{cohort}/{case}.csv"),
    output:
        results("qc/{cohort}/{case}.png"),
    log:
        results("logs/picture/{cohort}/{case}.log"),
    group:
        "images"
    conda:
        "../envs/hepatoclr.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        *code("picture"),
        window=config["tensors"]["window"],
        synthetic=lambda wildcards: wildcards.cohort in SIMULATED,
    script:
        "../scripts/picture.py"


rule qc:
    """Put the cases of a cohort on a page, with their pictures."""
    input:
        cohort=results("cohorts/{cohort}.csv"),
        pictures=lambda wildcards: of_cases("qc/{cohort}/{case}.png", wildcards.cohort),
    output:
        results("qc/{cohort}.html"),
    log:
        results("logs/qc/{cohort}.log"),
    benchmark:
        results("benchmarks/qc/{cohort}.tsv")
    conda:
        "../envs/hepatoclr.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        *code("qc", "hepatoclr/reporting/templates/qc.html.j2"),
        run=config["run"],
        synthetic=lambda wildcards: wildcards.cohort in SIMULATED,
    message:
        "Writing the quality control page of {wildcards.cohort}"
    script:
        "../scripts/qc.py"
