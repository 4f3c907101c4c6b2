"""Statements of questions about hits besides their pages."""
