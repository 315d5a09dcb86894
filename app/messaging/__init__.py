"""Outgoing short messages; the development sender keeps them in the database and shows them. Ids: K22 C15."""
