"""Predict histological cirrhosis from CT by weakly and self-supervised pretraining."""

__version__ = "0.1.0"
