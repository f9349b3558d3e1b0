"""Duty rooms, rights tickets and firms in the registers: the pure rules decide, a desk keeps."""
