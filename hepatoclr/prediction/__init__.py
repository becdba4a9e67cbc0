"""What a finished run says of a new CT: bundles, and predictions by them."""
