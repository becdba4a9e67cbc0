rule tables:
    """Compute the tables, from predictions alone."""
    input:
        predictions(),
    output:
        **table("table1"),
        **table("table2"),
        **table("learning_curve"),
        **table("measures"),
        **table("comparisons"),
        **table("nested"),
        **table("aggregation"),
    log:
        results("logs/tables.log"),
    benchmark:
        results("benchmarks/tables.tsv")
    conda:
        "../envs/hepatoclr.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        *code("tables"),
        methods=encoders.by_method(**section("experiment", "methods", "beta")),
        betas=BETAS,
        disclaimers=DISCLAIMERS,
    message:
        "Computing the tables"
    script:
        "../scripts/tables.py"
