"""Predict histological cirrhosis from CT by weakly and self-supervised pretraining."""
