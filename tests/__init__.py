"""Tests: see docs/how-to/run-the-tests.md."""
