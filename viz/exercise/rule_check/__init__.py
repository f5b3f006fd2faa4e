"""The check of a derivative rule that a student writes: right, or where it is wrong, and what mistake it looks like."""

from tensorgrad.viz.exercise.rule_check.check import RuleCheck, check_rule

__all__ = ["RuleCheck", "check_rule"]
