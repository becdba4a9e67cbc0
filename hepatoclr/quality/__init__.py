"""What people judge the cases by."""
