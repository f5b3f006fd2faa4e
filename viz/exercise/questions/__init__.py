"""The questions that a drawn graph gives: for rules, numbers and shapes, and which of them a sheet asks."""
