"""Kubernetes' own conformance suite against this server: ``make conformance``."""
