"""The attack laboratory: the protocol's own rules in virtual time, and simulated owners with strategies."""
