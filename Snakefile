# From raw abdominal CT to result tables. What a run does is said by config.yaml; how, by rules/.
from snakemake.utils import min_version

min_version("9.8")


# the same pins either way: --sdm conda, or --sdm apptainer with the image of the Containerfile
conda: "envs/hepatoclr.yaml"


container: "envs/hepatoclr.sif"


report: "rules/captions/workflow.rst"


include: "rules/common.smk"
include: "rules/cases.smk"
include: "rules/simulate.smk"
include: "rules/ingest.smk"
include: "rules/segment.smk"
include: "rules/slices.smk"
include: "rules/tensors.smk"
include: "rules/cohort.smk"
include: "rules/qc.smk"


if config["bundle"]["apply"]:  # finished models predict; nothing is trained

    include: "rules/predict.smk"

else:

    include: "rules/leakage.smk"
    include: "rules/pretrain.smk"
    include: "rules/features.smk"
    include: "rules/linear.smk"
    include: "rules/finetune.smk"
    include: "rules/select_beta.smk"
    include: "rules/external.smk"
    include: "rules/tables.smk"
    include: "rules/figures.smk"
    include: "rules/patient_flow.smk"
    include: "rules/explain.smk"
    include: "rules/feature_space.smk"
    include: "rules/baselines.smk"
    include: "rules/agreement.smk"
    include: "rules/benchmark_summary.smk"
    include: "rules/bundle.smk"
    include: "rules/report.smk"
    include: "rules/manuscript.smk"
    include: "rules/provenance.smk"


# minutes at most: on a cluster these run where Snakemake does
localrules:
    all,
    manifest,
    cohort,
    splits,
    leakage,
    random_encoder,
    select_beta,
    external_leakage,
    external_beta,
    external,
    agreement,
    baselines,
    patient_flow,
    figures,
    diagrams,
    preprocessing,
    qc_page,
    benchmark_summary,
    bundle,
    report,
    manuscript,


rule all:
    """Everything that is archived, what people look at, and what they may correct."""
    default_target: True
    input:
        of_cases("livers/{cohort}/{case}.nii.gz", *COHORTS),
        expand(results("qc/{cohort}.html"), cohort=COHORTS),
        TARGETS,


onstart:
    preflight()


onsuccess:
    print(summary())
