rule ingest:
    """Read a CT, whatever its format, as a canonical volume in HU."""
    input:
        image=lambda wildcards: source(wildcards, "image"),
    output:
        volume=results("volumes/{cohort}/{case}.nii.gz"),
        facts=results("volumes/{cohort}/{case}.json"),
    log:
        results("logs/ingest/{cohort}/{case}.log"),
    benchmark:
        results("benchmarks/ingest/{cohort}/{case}.tsv")
    conda:
        "../envs/hepatoclr.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        *code("ingest"),
        image=lambda wildcards: CASES[wildcards.cohort, wildcards.case].image,
        series=wanted_series,
        settings=config["ingest"],
        mended=lambda wildcards: mended(wildcards.cohort, wildcards.case),
    message:
        "Reading the CT of {wildcards.cohort} {wildcards.case}"
    script:
        "../scripts/ingest.py"
