"""Backends that find the liver, one file each."""
