"""Sentences of a cohort's table. No result depends on them, so fingerprints pass over them."""

PERMUTED = "control: the target is another patient's, drawn at random"

EXCLUDED_LABEL = "label {} is excluded by the configuration"
EXCLUDED_PATIENT = "patient is excluded by the configuration"
EXCLUDED_FLAG = "{0}; look at qc/{1}/{2}.png; to keep such cases take {3} out of checks.exclude"

# of the flags that `quality_flags.judge` gives
TRUNCATED = "the liver may be cut off: of its largest area {}, more than {:.1%}"
ENDS = {"first": "{:.1%} lies in the lowest slice", "last": "{:.1%} lies in the highest slice"}
VOLUME = "the liver's volume is {:g} ml, outside {:g} to {:g} ml"
DENSITY = "the liver's mean is {:g} HU, outside {:g} to {:g} HU"
COMPONENTS = "the mask is in pieces: the largest holds {:.1%} of it, less than {:.1%}"
STRETCHED = "the mask is higher than its largest piece, which alone counts, by slices: {}"
PHASE = "the contrast phase looks {} ({})"
ORGAN = "{} {:.0f} HU"
