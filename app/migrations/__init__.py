"""Forward-only, guarded schema migrations (Alembic); `run.upgrade` is the only entry."""
