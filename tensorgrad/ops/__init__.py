"""The ops, one family per file: each has its forward, its gradient rules, and its formula for drawings."""
