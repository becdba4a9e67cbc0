"""Reading DICOM series as volumes."""
