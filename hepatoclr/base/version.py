"""The version, apart from what every job reaches: a release alone reruns nothing."""

VERSION = "0.1.0"
