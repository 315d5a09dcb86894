"""The operator's tool: `python -m installer preflight`. Bundle and rollback are not part of this release."""
