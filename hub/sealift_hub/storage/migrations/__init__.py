"""The steps from one schema of the database to the next; run at every start of the hub."""
