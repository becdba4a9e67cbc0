"""The manuscript's text and the reporting checklists."""
