"""Typed settings, their sources, logging. Nobody else reads the environment."""
