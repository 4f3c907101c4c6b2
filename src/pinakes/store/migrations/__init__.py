"""The schema's history: Alembic revisions whose SQL stands in readable files under `sql/`."""
