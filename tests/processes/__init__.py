"""Proofs over the real processes: gunicorn, job workers, nginx and Redis, killed, reloaded and overloaded."""
