"""What the duty room does: warnings read by the standard, and which of them are in force."""
