"""PostgreSQL: the pool, named queries, the SQL compiler, migrations, content and tag rows."""
