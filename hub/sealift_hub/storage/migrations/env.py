"""Run by Alembic: the steps of ``versions``, on the connection and in the transaction that `Database` opened."""

from alembic import context

from sealift_hub.storage.models import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata, render_as_batch=True)
context.run_migrations()
