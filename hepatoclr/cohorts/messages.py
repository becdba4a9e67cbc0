"""Sentences of a cohort's table. No result depends on them, so fingerprints pass over them."""

PERMUTED = "control: the target is another patient's, drawn at random"

EXCLUDED_LABEL = "label {} is excluded by the configuration"
EXCLUDED_PATIENT = "patient is excluded by the configuration"
EXCLUDED_FLAG = (
    "{0}; look at qc/{1}/{2}.png; to keep such cases take {3} out of checks.exclude, or out of "
    "cohorts.{1}.checks.exclude, which is of this cohort alone"
)

# of classes that exclusions left too few patients of
AFTER_EXCLUSIONS = "after the exclusions, before any training, there is"
TOO_FEW = (
    "cohort {}: patients of the {} class left: {}, needed: {}; CTs of it that were excluded: {}. "
    "Why, {} says of each; correct some, or change checks, labels or evaluation.folds"
)

# of the flags that `quality_flags.judge` gives
TRUNCATED = "the liver may be cut off: of its largest area {}, more than {:.1%}"
ENDS = {"first": "{:.1%} lies in the lowest slice", "last": "{:.1%} lies in the highest slice"}
VOLUME = "the liver's volume is {:g} ml, outside {:g} to {:g} ml"
DENSITY = "the liver's mean is {:g} HU, outside {:g} to {:g} HU"
COMPONENTS = "the mask is in pieces: the largest holds {:.1%} of it, less than {:.1%}"
STRETCHED = "the mask is higher than its largest piece, which alone counts, by slices: {}"
PHASE = "the contrast phase looks {} ({})"
ORGAN = "{} {:.0f} HU"
