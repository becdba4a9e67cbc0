STAGES = [rule.name for rule in workflow.rules]  # those of the files included before this one


rule costs:
    """Add up what the jobs of the run took, once all of them are done."""
    input:
        tables=[results(f"tables/{table}.csv") for table in [*TABLES, *LISTS] if table != "cost"],
        figures=expand(results("figures/{figure}.svg"), figure=FIGURES),
        understanding=understanding(),
        external=external_predictions(),
        qc=expand(results("qc/{cohort}.html"), cohort=COHORTS),
    output:
        report(results("tables/cost.csv"), caption="captions/cost.rst", category="Tables"),
    log:
        results("logs/costs.log"),
    benchmark:
        results("benchmarks/costs.tsv")
    conda:
        "../envs/hepatoclr.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        *code("costs"),
        run=lambda wildcards, output: str(Path(output[0]).parents[1]),
        stages=STAGES,
    message:
        "Adding up the cost of the run"
    script:
        "../scripts/costs.py"
