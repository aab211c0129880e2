"""How far an intruder gets, under any policy."""
