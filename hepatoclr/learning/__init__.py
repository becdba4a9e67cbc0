"""The experiment, its data, pretraining, and the evaluation protocols."""
