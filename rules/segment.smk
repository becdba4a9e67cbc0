rule segment:
    """Find the liver, or take it from the batch that the case was segmented in."""
    input:
        volume=results("volumes/{cohort}/{case}.nii.gz"),
        facts=results("volumes/{cohort}/{case}.json"),
        mask=mask_source,
        batch=batch_of,
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
        mem_mb=1000 if BATCHES else 8000,
        runtime=60,
    params:
        *code("segment", BACKEND),
        given=given_mask,
        settings=section("segment", "backend", "model"),
    message:
        "Segmenting the liver of {wildcards.cohort} {wildcards.case}"
    script:
        "../scripts/segment.py"


rule segment_batch:
    """Find the livers of several cases in one process, which loads the model once."""
    input:
        volumes=in_batch(lambda one: results(f"volumes/{one.cohort}/{one.case}.nii.gz")),
        facts=in_batch(lambda one: results(f"volumes/{one.cohort}/{one.case}.json")),
        masks=in_batch(mask_source) if PROVIDED else [],
    output:
        # not temporary: to have it back, Snakemake would make all its cases again
        directory(results("livers/{cohort}/batch{batch}")),
    log:
        results("logs/segment_batch/{cohort}/{batch}.log"),
    benchmark:
        results("benchmarks/segment_batch/{cohort}/{batch}.tsv")
    wildcard_constraints:
        batch="[0-9]+-[0-9a-f]+",
    retries: 3  # each gets past one case that kills the process
    conda:
        "../envs/hepatoclr.yaml"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=60 + 10 * config["segment"]["cases_per_job"],
    params:
        *code("segment_batch", BACKEND),
        cases=in_batch(lambda one: {"name": one.case, **given_mask(one)}),
        settings=section("segment", "backend", "model"),
    message:
        "Segmenting the livers of {wildcards.cohort}, batch {wildcards.batch}"
    script:
        "../scripts/segment_batch.py"
